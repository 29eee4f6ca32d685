"""Training: patches, the loop, and a state to resume from."""
