"""The objects in a prediction: connected components of each class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli import recipe

NEIGHBOURS_26 = np.ones((3, 3, 3), bool)
"""Voxels that share a face, an edge or a corner are connected. With faces only, thin or oblique
structures of a coarse prediction fall apart into several objects, each prompted by itself; the
largest-component step of the literature (scikit-image's default) uses 26 neighbours as well."""


@dataclass(frozen=True)
class FoundObject:
    """One connected component of one class."""

    class_index: int
    """1 … number of foreground classes."""
    component: int
    """1 is the largest component of the class."""
    mask: NDArray[np.bool_]
    """(I, J, K)."""
    num_voxels: int


def find_objects(
    probability: NDArray[np.float32], options: recipe.Prompt
) -> tuple[FoundObject, ...]:
    """Find the objects that are worth a prompt, by class, and from large to small within a class.

    A component counts when it has at least `min_component_voxels`, and at least
    `min_component_fraction` of the voxels of the largest component of its class.

    Shapes: probability (C, I, J, K) float32, channel 0 is the background. Nothing found: `()`.
    """
    label = probability.argmax(axis=0)
    return tuple(
        found
        for class_index in range(1, len(probability))
        for found in _components(label == class_index, class_index, options)
    )


def _components(
    mask: NDArray[np.bool_], class_index: int, options: recipe.Prompt
) -> list[FoundObject]:
    """The components of one class that are large enough, the largest first."""
    numbers, _ = ndimage.label(mask, NEIGHBOURS_26)
    sizes = np.bincount(numbers.ravel())[1:]  # number 0 is everything else
    if not sizes.size:
        return []
    least = max(options.min_component_voxels, options.min_component_fraction * sizes.max())
    by_size = [number for number in np.argsort(-sizes, kind="stable") if sizes[number] >= least]
    return [
        FoundObject(class_index, rank, numbers == number + 1, int(sizes[number]))
        for rank, number in enumerate(by_size, start=1)
    ]
