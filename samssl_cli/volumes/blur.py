"""Smooth class probabilities."""

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray


def blurred(probability: NDArray[np.float32], sigma_voxels: float) -> NDArray[np.float32]:
    """Blur each class with a Gaussian; outside the volume it is as mirrored at the border.

    Shapes: (classes, I, J, K) float32 in 0-1 to the same; sums over the classes stay. A sigma of 0
    gives back what it was given.
    """
    if not sigma_voxels:
        return probability
    blur = scipy.ndimage.gaussian_filter
    return np.stack([blur(channel, sigma_voxels) for channel in probability])
