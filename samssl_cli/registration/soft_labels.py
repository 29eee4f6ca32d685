"""Labels as distances to their borders, which can be moved and then read as probabilities."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import softmax

from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.voxels import Image

FAR_MM = 50.0
"""Farther is all the same; also the distance to a class that is not there."""


def signed_distances(label: NDArray[np.uint8], num_classes: int, spacing_mm: Spacing) -> Image:
    """How far every voxel is from the border of every class, positive inside it.

    Shapes: (I, J, K) to (classes, I, J, K) float32, mm, from -`FAR_MM` to `FAR_MM`.
    """
    distances = [_signed(label == index, spacing_mm) for index in range(num_classes)]
    return np.asarray(np.clip(np.stack(distances), -FAR_MM, FAR_MM), np.float32)


def probabilities(distances: Image, *, softness_mm: float) -> Image:
    """exp(distance / softness), divided by the sum over the classes.

    Between two classes it is 1/2 at their border, wherever and however thin they are: what a blur
    would take from a thin object stays.

    Args:
        distances: (classes, I, J, K), mm.
        softness_mm: with two classes, the probability that far from the border is 0.88.

    Source: Sabuncu et al., IEEE TMI 29(10), 2010 (LogOdds).
    """
    return np.asarray(softmax(distances / np.float32(softness_mm), axis=0), np.float32)


def _signed(mask: NDArray[np.bool_], spacing_mm: Spacing) -> NDArray[np.float64]:
    if mask.all() or not mask.any():
        return np.full(mask.shape, FAR_MM if mask.all() else -FAR_MM)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    return np.asarray(inside - outside)
