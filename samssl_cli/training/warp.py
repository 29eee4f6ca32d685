"""Cut a training patch out of a volume, turned, scaled and bent, with one interpolation.

Cropping first and warping afterwards would drag empty corners into the patch. Here the patch's
voxels are traced back into the whole volume, so that what turns into view is real image.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from samssl_cli.recipe import Augmentation

_KNOTS = 4  # control points of the elastic field per axis


@dataclass(frozen=True)
class Warp:
    """One random placement of a patch in a volume."""

    centre: NDArray[np.float32]
    """(3,) voxel coordinates of the patch's centre."""
    matrix: NDArray[np.float32]
    """(3, 3) from offsets in the patch to offsets in the volume."""
    knots: NDArray[np.float32] | None
    """(3, 4, 4, 4) elastic displacement in voxels, or None."""
    flips: tuple[int, ...] = ()
    """Axes to mirror after cutting."""
    quarter_turns: int = 0
    """Turns by 90 degrees after cutting, in the plane of `turn_axes`."""
    turn_axes: tuple[int, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the patch is a crop on the voxel grid, without interpolation."""
        return self.knots is None and bool((self.matrix == np.eye(3)).all())


def draw_warp(
    rng: np.random.Generator,
    options: Augmentation,
    *,
    centre: NDArray[np.float32],
    patch_size: tuple[int, int, int],
) -> Warp:
    """Draw the random part of a warp; the same generator state gives the same warp."""
    is_affine = rng.random() < options.affine_probability
    angles = rng.uniform(-options.rotation_rad, options.rotation_rad, 3)
    zoom = 1 + rng.uniform(-options.scale, options.scale)
    half = np.array(patch_size, np.float32)[:, None, None, None] / 2
    knots = rng.uniform(-options.elastic, options.elastic, (3, _KNOTS, _KNOTS, _KNOTS)) * half
    is_flipped = rng.random(len(options.flip_axes)) < 0.5
    turns = int(rng.integers(4)) if options.rotate90_axes else 0
    matrix = Rotation.from_euler("xyz", angles).as_matrix() * zoom if is_affine else np.eye(3)
    return Warp(
        centre=centre,
        matrix=matrix.astype(np.float32),
        knots=knots.astype(np.float32) if is_affine and options.elastic > 0 else None,
        flips=tuple(a for a, flip in zip(options.flip_axes, is_flipped, strict=True) if flip),
        quarter_turns=turns,
        turn_axes=options.rotate90_axes,
    )


def cut(
    volume: NDArray[np.floating | np.integer],
    warp: Warp,
    *,
    patch_size: tuple[int, int, int],
    order: str = "bilinear",
    device: torch.device | str = "cpu",
) -> Tensor:
    """Take the patch that `warp` describes; what lies outside the volume is 0.

    Args:
        volume: (C, I, J, K) of any number type.
        warp: where and how.
        patch_size: voxels of the patch.
        order: "bilinear" (trilinear in 3D) or "nearest", for label maps.
        device: where the interpolation runs and the patch is left.

    Returns:
        (C, *patch_size) float32.
    """
    size = _size_before_turns(patch_size, warp)
    patch = (
        _crop(volume, warp, size) if warp.is_plain else _sample(volume, warp, size, order, device)
    )
    patch = patch.to(device)
    if warp.quarter_turns:
        axes = [axis + 1 for axis in warp.turn_axes]
        patch = torch.rot90(patch, warp.quarter_turns, axes)
    return patch.flip([axis + 1 for axis in warp.flips]) if warp.flips else patch


def _size_before_turns(size: tuple[int, int, int], warp: Warp) -> tuple[int, int, int]:
    """Swap the two sides that an odd number of quarter turns will swap back."""
    i_j_k = list(size)
    if warp.quarter_turns % 2:
        a, b = warp.turn_axes
        i_j_k[a], i_j_k[b] = i_j_k[b], i_j_k[a]
    return i_j_k[0], i_j_k[1], i_j_k[2]


def _crop(
    volume: NDArray[np.floating | np.integer], warp: Warp, size: tuple[int, int, int]
) -> Tensor:
    low: NDArray[np.int64] = np.round(warp.centre - (np.array(size) - 1) / 2).astype(int)
    return torch.from_numpy(_take(volume, low, low + size))


def _sample(
    volume: NDArray[np.floating | np.integer],
    warp: Warp,
    size: tuple[int, int, int],
    order: str,
    device: torch.device | str,
) -> Tensor:
    coordinates = _coordinates(warp, size, device)  # (3, I, J, K)
    low = coordinates.amin((1, 2, 3)).floor().int().cpu().numpy()
    high = coordinates.amax((1, 2, 3)).ceil().int().cpu().numpy() + 1
    # One voxel beyond the volume is enough: everything farther out is 0 as well.
    low, high = low.clip(-1, volume.shape[1:]), high.clip(0, np.array(volume.shape[1:]) + 1)
    high = np.maximum(high, low + 2)
    block = torch.from_numpy(_take(volume, low, high)).to(device)
    offset = torch.tensor(low, device=device, dtype=torch.float32).view(3, 1, 1, 1)
    extent = torch.tensor(high - low - 1, device=device, dtype=torch.float32).view(3, 1, 1, 1)
    grid = (2 * (coordinates - offset) / extent - 1).flip(0).movedim(0, -1)  # (I, J, K, kji)
    sampled = functional.grid_sample(
        block[None], grid[None], mode=order, padding_mode="zeros", align_corners=True
    )
    return sampled[0]


def _coordinates(warp: Warp, size: tuple[int, int, int], device: torch.device | str) -> Tensor:
    """Where each patch voxel comes from, in voxels of the volume: (3, I, J, K)."""
    axes = [torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2 for n in size]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    matrix = torch.from_numpy(warp.matrix).to(device)
    centre = torch.from_numpy(warp.centre).to(device).view(3, 1, 1, 1)
    coordinates = torch.einsum("ab,bijk->aijk", matrix, offsets) + centre
    if warp.knots is None:
        return coordinates
    knots = torch.from_numpy(warp.knots).to(device)[None]
    return (
        coordinates
        + functional.interpolate(knots, size=size, mode="trilinear", align_corners=True)[0]
    )


def _take(
    volume: NDArray[np.floating | np.integer],
    low: NDArray[np.integer],
    high: NDArray[np.integer],
) -> NDArray[np.float32]:
    """The box [low, high) of a volume as float32, with 0 where it leaves the volume."""
    block = np.zeros((volume.shape[0], *(high - low)), np.float32)
    inside_low = np.clip(low, 0, volume.shape[1:])
    inside_high = np.clip(high, inside_low, volume.shape[1:])
    source = tuple(slice(a, b) for a, b in zip(inside_low, inside_high, strict=True))
    target = tuple(
        slice(a - start, b - start)
        for a, b, start in zip(inside_low, inside_high, low, strict=True)
    )
    block[:, *target] = volume[:, *source]
    return block
