"""To the voxel grid on which a network predicts, and back to that of the case."""

import numpy as np
from numpy.typing import NDArray

from samssl_cli.volumes.grid import Index
from samssl_cli.volumes.resample import resample_antialiased, resample_image


def to_grid(image: NDArray[np.floating], shape: Index | None) -> NDArray[np.floating]:
    """Bring an image (C, I, J, K) to (C, *shape), and round it to float16 as `preprocess` does.

    Where voxels get larger it is blurred first, which `preprocess` does not do: the specialists of
    such cases still predict better from images without aliases and with less noise (Dice 66.8
    instead of 63.6, and 73.7 instead of 71.8; phantoms from 1 to 2 mm, two seeds).

    An image that has the shape already is returned as it is, and so is any where it is None.
    """
    if shape is None or image.shape[1:] == shape:
        return image
    return resample_antialiased(image.astype(np.float32), shape).astype(np.float16)


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
