"""Cleaning a prediction before it is scored: the literature's step, and a control for it."""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray

from samssl_cli.volumes.blur import blurred

Integer = TypeVar("Integer", bound=np.integer[Any])

NEIGHBOURS_26 = np.ones((3, 3, 3), bool)


def largest_component(label: NDArray[Integer], classes: Iterable[int]) -> NDArray[Integer]:
    """Keep the largest connected component of each of `classes`; the rest of them is background.

    Components touch by a face, an edge or a corner. Of equally large ones, the first in memory
    order stays. A class that is not there stays away.

    Shapes: (I, J, K) integer to the same. Classes that are not named stay as they are.
    Source: SSL4MIS and SemiSAM, `test_util.py` (scikit-image's `label`, 26 neighbours).
    """
    cleaned = label.copy()
    for class_index in classes:
        mask = label == class_index
        cleaned[mask & ~_largest(mask)] = 0
    return cleaned


def blur_largest_component(
    probability: NDArray[np.float32], sigma_voxels: float, classes: Iterable[int]
) -> NDArray[np.uint8]:
    """Blur the probabilities, take the likeliest class, keep one component of each of `classes`.

    The control row of `evaluate`: what a generalist adds has to be more than smoothness.

    Shapes: probability (C, I, J, K) float32, channel 0 is the background; gives (I, J, K) uint8.
    """
    label = np.argmax(blurred(probability, sigma_voxels), axis=0).astype(np.uint8)
    return largest_component(label, classes)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected component of a mask; empty for an empty mask."""
    numbers, _ = scipy.ndimage.label(mask, NEIGHBOURS_26)
    sizes = np.bincount(numbers.ravel())[1:]  # number 0 is everything else
    return numbers == sizes.argmax() + 1 if sizes.size else mask
