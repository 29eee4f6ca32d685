"""Trained networks at work: whole volumes, and how sure they are."""
