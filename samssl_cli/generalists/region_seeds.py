"""What a prompt settles before any growing: voxels inside, voxels outside, and a leaning between.

All arrays here are of the neighbourhood (I, J, K) that `region_growing` cuts out around a prompt.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli.distances import distance_to_false
from samssl_cli.prompts.types import Box, Points

Mask = NDArray[np.bool_]

_CORE_OF_BOX = 0.5  # radius, relative to the box's own ellipsoid, of what is taken to be inside


@dataclass(frozen=True)
class Seeds:
    """Settled voxels; the rest is contested."""

    inside: Mask
    outside: Mask
    prior: NDArray[np.float32]
    """From -1 (surely outside) to 1 (surely inside): where the prompt alone would draw the line."""


def depth_of(mask: Mask, *, within: float | None = None) -> NDArray[np.float32]:
    """Voxels from each true voxel to the nearest false one, 0 at false ones.

    Where nothing is false, every voxel is as far as the array is long. What is farther than
    `within` may be infinitely far.
    """
    if mask.all():
        return np.full(mask.shape, max(mask.shape), np.float32)
    return distance_to_false(mask, within=within).astype(np.float32)


def signed_distance(mask: Mask) -> NDArray[np.float32]:
    """Voxels to the border of the mask, positive inside; the voxels beside it have +-0.5."""
    inside, outside = depth_of(mask), depth_of(~mask)
    return np.where(mask, inside - 0.5, 0.5 - outside)


def seeds_of_mask(mask: Mask, *, band: float, min_band_voxels: int) -> Seeds:
    """Contest a band on both sides of a mask's border.

    The band is `band` times the largest half-width of the object on each side, and inside never
    loses more than half of the local half-width: a thin vessel keeps its core, and so does an
    object of one voxel.
    """
    depth = depth_of(mask)
    width = max(int(band * float(depth.max())), min_band_voxels)
    local_depth = ndimage.maximum_filter(depth, size=2 * width + 1)
    height = depth_of(~mask, within=width + 1)
    border = np.where(mask, depth - 0.5, 0.5 - height)
    return Seeds(
        inside=mask & (depth > 0.5 * local_depth),
        outside=height > width,
        prior=np.clip(border / width, -1, 1).astype(np.float32),
    )


def seeds_of_box(box: Box, shape: tuple[int, ...]) -> Seeds:
    """Take the middle of a box to be inside, and everything around the box outside."""
    low, high = np.array(box.low), np.array(box.high)
    radius = _scaled_radius(shape, centre=(low + high - 1) / 2, half_widths=(high - low) / 2)
    outside = np.ones(shape, bool)
    outside[box.slices] = False
    inside = radius <= max(_CORE_OF_BOX, float(radius.min()))  # at least the voxel in the middle
    return Seeds(inside, outside, np.clip(1 - radius, -1, 1))


def seeds_of_points(points: Points, shape: tuple[int, ...], *, reach_voxels: int) -> Seeds:
    """Take everything beyond reach of the positive points to be outside.

    The reach is twice the distance from a negative point to its nearest positive one, where there
    are negative points (those near the border tell how large the object is), up to `reach_voxels`.
    """
    is_clicked = np.zeros(shape, bool)
    is_clicked[tuple(points.coordinates[points.is_positive].T)] = True
    distance = depth_of(~is_clicked, within=reach_voxels)
    gaps = distance[tuple(points.coordinates[~points.is_positive].T)]
    reach = float(min(reach_voxels, max(2.0, 2 * gaps.max()))) if gaps.size else reach_voxels
    prior = np.clip(1 - 2 * distance / reach, -1, 1).astype(np.float32)
    return Seeds(is_clicked, distance > reach, prior)


def with_points(seeds: Seeds, points: Points) -> Seeds:
    """Settle the voxels clicked on and their neighbours; negative points have the last word."""
    positive, negative = (
        _clicked(points.coordinates[points.is_positive == sign], seeds.inside.shape)
        for sign in (True, False)
    )
    return Seeds(
        inside=(seeds.inside | positive) & ~negative,
        outside=(seeds.outside & ~positive) | negative,
        prior=seeds.prior,
    )


def limited_to(seeds: Seeds, box: Box) -> Seeds:
    """Settle what lies outside the box, unless nothing would be left inside."""
    allowed = np.zeros(seeds.inside.shape, bool)
    allowed[box.slices] = True
    if not (seeds.inside & allowed).any():
        return seeds
    return Seeds(seeds.inside & allowed, seeds.outside | ~allowed, seeds.prior)


def _clicked(coordinates: NDArray[np.int64], shape: tuple[int, ...]) -> Mask:
    clicked = np.zeros(shape, bool)
    clicked[tuple(coordinates.T)] = True
    return np.asarray(ndimage.binary_dilation(clicked)) if len(coordinates) else clicked


def _scaled_radius(
    shape: tuple[int, ...], *, centre: NDArray[np.float64], half_widths: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Distance from the centre in half-widths: 1 on the ellipsoid that touches the box's sides."""
    grids = np.ogrid[tuple(slice(size) for size in shape)]
    squares = (((g - c) / w) ** 2 for g, c, w in zip(grids, centre, half_widths, strict=True))
    return np.asarray(np.sqrt(sum(squares)), np.float32)
