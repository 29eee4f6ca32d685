"""Labeled volumes, turned, scaled, bent and lit otherwise, around one of their objects."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.recipe import Augmentation
from samssl_cli.training.intensity import change_intensity, draw_intensity
from samssl_cli.training.labeled_objects import LabeledObject
from samssl_cli.training.warp import Warp, cut, draw_warp
from samssl_cli.volumes.grid import Index

_MOST_AROUND, _LEAST_AROUND = 0.8, 0.3  # of the object's longest side, on each side of it
_SMALLEST_STEP = 0.5  # voxels: enlarging farther shows nothing new


@dataclass(frozen=True)
class Warped:
    """What became of a labeled volume; all parts have the same grid."""

    image: Tensor
    """(C, I, J, K) float32."""
    share: Tensor
    """(I, J, K) of each voxel that is the object's, 0-1."""
    counted: Tensor
    """(I, J, K) 1 where the truth is known and counts."""


def warp_around(
    one: LabeledObject, size: Index, augmentation: Augmentation, rng: np.random.Generator
) -> Warped:
    """Cut a grid of cubic voxels around an object, which takes up a good part of it."""
    low, high = one.box
    spacing = np.array(one.spacing_mm)
    around = 1 + 2 * rng.uniform(_LEAST_AROUND, _MOST_AROUND)
    step_mm = max(
        float(((high - low) * spacing).max() * around / max(size)),
        _SMALLEST_STEP * float(spacing.min()),
    )
    centre = ((low + high - 1) / 2).astype(np.float32)
    warp = draw_warp(rng, augmentation, centre=centre, patch_size=size)
    return _apply(one, _on_grid(warp, step_mm / spacing), size, augmentation, rng)


def warp_whole(one: LabeledObject, augmentation: Augmentation, rng: np.random.Generator) -> Warped:
    """Warp the whole volume, on its own grid."""
    i, j, k = one.mask.shape
    centre = np.asarray((np.array([i, j, k]) - 1) / 2, np.float32)
    warp = draw_warp(rng, augmentation, centre=centre, patch_size=(i, j, k))
    return _apply(one, warp, (i, j, k), augmentation, rng)


def _on_grid(warp: Warp, step: NDArray[np.float64]) -> Warp:
    """The same warp for a grid whose points are `step` (3,) voxels of the volume apart."""
    matrix = (step[:, None] * warp.matrix).astype(np.float32)
    knots = warp.knots
    if knots is not None:
        knots = (step[:, None, None, None] * knots).astype(np.float32)
    return replace(warp, matrix=matrix, knots=knots)


def _apply(
    one: LabeledObject,
    warp: Warp,
    size: Index,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Warped:
    """Cut image, object and what counts at the same places; beyond the volume nothing counts."""
    image = np.asarray(one.image, np.float32)
    lowest = image.min()
    seen = cut(image - lowest, warp, patch_size=size) + float(lowest)  # air, not grey, beyond it
    counted = np.ones_like(one.mask) if one.counted is None else one.counted
    shares = cut(_layers(one.mask), warp, patch_size=size)[0]
    counts = cut(_layers(counted), warp, patch_size=size, order="nearest")[0]
    change = draw_intensity(rng, augmentation)
    seen = change_intensity(seen, change, seed=int(rng.integers(2**62)))
    return Warped(seen, shares, counts.round())


def _layers(mask: NDArray[Any]) -> NDArray[np.uint8]:
    return mask[None].astype(np.uint8)
