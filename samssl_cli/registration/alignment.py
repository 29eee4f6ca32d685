"""A labeled volume and an image, and the steps that lay the one over the other."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli.registration.matching import local_correlation
from samssl_cli.registration.transforms import (
    affinely,
    as_array,
    as_itk,
    as_mask,
    deformably,
    laid_over,
    reduced,
    stretched,
)
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.voxels import Image

Mask = NDArray[np.bool_]


class Pair:
    """A fixed image, and a moving one of which it is known what in it matters."""

    def __init__(
        self,
        fixed: Image,
        spacing_mm: Spacing,
        moving: Image,
        moving_spacing_mm: Spacing,
        near: Mask,
    ) -> None:
        """Keep both.

        Args:
            fixed: (I, J, K), one channel.
            spacing_mm: its voxel sizes.
            moving: (I', J', K').
            moving_spacing_mm: its voxel sizes.
            near: (I', J', K'), what has to match; when empty, everything has.
        """
        self._image, self._spacing_mm = fixed, spacing_mm
        self._moving_spacing_mm = moving_spacing_mm
        self._darkest = float(moving.min())
        self._has_near = bool(near.any())
        self.fixed = as_itk(fixed, spacing_mm)
        self.moving = as_itk(moving, moving_spacing_mm)
        self.near = as_mask(near, moving_spacing_mm) if self._has_near else None
        self._near = near

    def carried(self, volume: NDArray[Any], transform: Any, *, outside: float = 0.0) -> Image:
        """What is known of the moving image's voxels, linearly at those (I, J, K) of the fixed one.

        `outside` where the moving image does not reach.
        """
        moving = as_itk(volume, self._moving_spacing_mm)
        return as_array(laid_over(moving, self.fixed, transform, outside=outside))

    def correlation(self, transform: Any, *, window_mm: float) -> Image:
        """How well the two match at every voxel of the fixed one, -1 to 1."""
        laid = as_array(laid_over(self.moving, self.fixed, transform, outside=self._darkest))
        return local_correlation(self._image, laid, self._spacing_mm, window_mm=window_mm)

    def is_better(self, transform: Any, other: Any, *, window_mm: float) -> bool:
        """Whether they match better than under another transform, where that one has what is near.

        The mean of the local correlations decides.
        """
        where = self.carried(self._near, other) > 0.5
        where = where if where.any() else np.ones_like(where)
        ours, theirs = (
            float(self.correlation(one, window_mm=window_mm)[where].mean(dtype=np.float64))
            for one in (transform, other)
        )
        return ours > theirs


def within(mask: Mask, spacing_mm: Spacing, *, distance_mm: float) -> Mask:
    """The voxels (I, J, K) at most so far from a mask; none when it is empty."""
    if not mask.any():
        return mask
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    return np.asarray(distance <= distance_mm)


def align(
    pair: Pair,
    *,
    max_voxels: int,
    affine_iterations: int,
    deformable_iterations: int,
    deformation_smoothing: float,
    window_mm: float,
) -> tuple[Any, list[str]]:
    """The transform that lays the moving image over the fixed one, and what failed on the way.

    Stretched corner to corner; affinely; affinely where it matters; deformably. A step that fails,
    or that makes the match worse, is left out, so that the stretching stands when all do.
    """
    fixed, moving = reduced(pair.fixed, max_voxels), reduced(pair.moving, max_voxels)
    affine = partial(affinely, fixed, moving, iterations=affine_iterations)
    steps: dict[str, Callable[[Any], Any]] = {"affine": affine}
    if pair.near is not None:
        steps["focused affine"] = partial(affine, within=pair.near)
    if deformable_iterations:
        steps["deformable"] = partial(
            deformably,
            fixed,
            moving,
            iterations=deformable_iterations,
            smoothing=deformation_smoothing,
        )
    best, notes = stretched(pair.fixed, pair.moving), []
    for name, step in steps.items():
        try:
            found = step(best)
            if not pair.is_better(found, best, window_mm=window_mm):
                raise RuntimeError("the images matched less well")
        except RuntimeError as error:
            notes.append(f"{name} registration left out: {_reason(error)}")
        else:
            best = found
    return best, notes


def _reason(error: RuntimeError) -> str:
    """The last line of SimpleITK's long messages."""
    return str(error).strip().splitlines()[-1].strip()
