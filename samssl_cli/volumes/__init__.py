"""Volumes on disk and in space: files, grids, resampling, intensities, raw data sets.

Torch-free. Images are (C, I, J, K) float32, labels (I, J, K) unsigned integers.
"""
