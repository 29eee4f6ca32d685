"""Verbs: each stage opens artifacts, calls parts, and writes one artifact.

Torch, MONAI and zarr are imported inside the functions that work, never at the top of a stage, so
that "up to date" is answered at once.
"""
