"""To the voxel grid on which a network predicts, and back to that of the case."""

import numpy as np
from numpy.typing import NDArray

from samssl_cli.volumes.grid import Index
from samssl_cli.volumes.resample import resample_image


def to_grid(image: NDArray[np.floating], shape: Index | None) -> NDArray[np.floating]:
    """Resample an image (C, I, J, K) to (C, *shape) as `preprocess` does, and round as it does.

    An image that has the shape already is returned as it is, and so is any where it is None.
    """
    if shape is None or image.shape[1:] == shape:
        return image
    return resample_image(image.astype(np.float32), shape).astype(np.float16)


def from_grid(probability: NDArray[np.float32], shape: Index) -> NDArray[np.float32]:
    """Interpolate class probabilities (classes, ...) linearly to (classes, *shape).

    They sum to 1 over the classes again. Those that have the shape already are returned as they
    are, to the bit.
    """
    if probability.shape[1:] == shape:
        return probability
    here = np.clip(resample_image(probability, shape, order=1), 0, 1)
    here /= here.sum(axis=0)
    return here
