"""Smooth class probabilities."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def blurred(probability: NDArray[np.float32], sigma_voxels: float) -> NDArray[np.float32]:
    """Blur each class with a Gaussian; outside the volume it is as mirrored at the border.

    Shapes: (classes, I, J, K) float32 in 0-1 to the same; sums over the classes stay. A sigma of 0
    gives back what it was given.
    """
    if not sigma_voxels:
        return probability
    return np.stack([ndimage.gaussian_filter(channel, sigma_voxels) for channel in probability])
