"""What `scout` looks at: a box of the volume around the prompt, brought to a small grid.

The grid has cubic voxels and at most `budget` of them, so that an object always fills it, whether
it is a pea or a liver.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

MULTIPLE = 8
"""The network halves each side three times."""

_FEWEST = 24  # voxels along a side
_SMALLEST_STEP = 0.5  # voxels of the volume: enlarging farther shows nothing new


@dataclass(frozen=True)
class View:
    """A grid laid over a volume."""

    centre: NDArray[np.float64]
    """(3,) voxel coordinates of its middle."""
    step: NDArray[np.float64]
    """(3,) voxels of the volume from one grid point to the next."""
    shape: tuple[int, int, int]
    """Grid points along each axis."""

    def moved_into(self, shape: tuple[int, ...]) -> "View":
        """The same grid, moved so that it leaves a volume of `shape` as little as possible."""
        size, extent = np.array(shape, np.float64), self.step * np.array(self.shape)
        middle = (size - 1) / 2
        room = np.maximum(size - extent, 0) / 2
        centre = np.clip(self.centre, middle - room, middle + room)
        return View(centre, self.step, self.shape)

    def sample(self, volume: Tensor, *, coarser: int = 1, padding: str = "zeros") -> Tensor:
        """Read (C, I, J, K) at the grid points, linearly: (C, *shape).

        Where grid points are far apart the volume is averaged first.

        Args:
            volume: float32; of the volume that the view lies in, or one coarser by a factor.
            coarser: that factor.
            padding: "zeros" or "border", for what lies outside.
        """
        volume = _averaged(volume, self.step / coarser)
        places = [
            ((torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * float(s) + float(c) + 0.5)
            / coarser
            - 0.5
            for n, s, c in zip(self.shape, self.step, self.centre, strict=True)
        ]
        return _read(volume, places, padding)

    def paste(self, answer: Tensor, shape: tuple[int, int, int], outside: float) -> Tensor:
        """Bring (C, *self.shape) back to a volume of `shape`: (C, I, J, K), linearly.

        Voxels beyond the view get `outside`.
        """
        places = [
            (torch.arange(n, dtype=torch.float32) - float(c)) / float(s) + (m - 1) / 2
            for n, m, s, c in zip(shape, self.shape, self.step, self.centre, strict=True)
        ]
        near = [
            ((p >= -0.5) & (p <= m - 0.5)).nonzero()[:, 0]
            for p, m in zip(places, self.shape, strict=True)
        ]
        whole = torch.full((len(answer), *shape), outside)
        if all(len(n) for n in near):
            i, j, k = (slice(int(n[0]), int(n[-1]) + 1) for n in near)
            inside = [p[n] for p, n in zip(places, near, strict=True)]
            whole[:, i, j, k] = _read(answer, inside, "border")
        return whole


def fit_view(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    spacing_mm: NDArray[np.float64],
    *,
    margin: float,
    budget: int,
) -> View:
    """Lay a view of at most `budget` cubic voxels over a box, with `margin` of its sides around it.

    Args:
        low: (3,) first voxel of the box.
        high: (3,) one past its last voxel.
        spacing_mm: (3,) of the volume.
        margin: on each side, as a fraction of the box's side.
        budget: grid points.
    """
    sides_mm = (high - low) * spacing_mm * (1 + 2 * margin)
    sides_mm = np.maximum(sides_mm, 0.35 * sides_mm.max())  # some context along a thin object
    spacing = max(
        float(np.cbrt(sides_mm.prod() / budget)), _SMALLEST_STEP * float(spacing_mm.min())
    )
    while math.prod(shape := _shape(sides_mm, spacing)) > budget and max(shape) > _FEWEST:
        spacing *= 1.02
    return View((low + high - 1) / 2, spacing / spacing_mm, shape)


def _shape(sides_mm: NDArray[np.float64], spacing: float) -> tuple[int, int, int]:
    i, j, k = (
        max(_FEWEST, MULTIPLE * math.ceil(side / spacing / MULTIPLE - 1e-9)) for side in sides_mm
    )
    return i, j, k


def _averaged(volume: Tensor, step: NDArray[np.float64]) -> Tensor:
    i, j, k = (2 * int(s // 2) + 1 for s in step)
    if (i, j, k) == (1, 1, 1):
        return volume
    padding = (k // 2, k // 2, j // 2, j // 2, i // 2, i // 2)
    padded = functional.pad(volume[None], padding, mode="replicate")
    return functional.avg_pool3d(padded, (i, j, k), 1)[0]


def _read(volume: Tensor, places: list[Tensor], padding: str) -> Tensor:
    """Read (C, I, J, K) at the product of three lists of voxel coordinates, axis by axis."""
    for axis, (place, n) in enumerate(zip(places, volume.shape[1:], strict=True), start=1):
        below = place.floor()
        weight = (place - below).view([-1 if a == axis else 1 for a in range(4)])
        first, second = below.long(), below.long() + 1
        low = volume.index_select(axis, first.clamp(0, n - 1))
        high = volume.index_select(axis, second.clamp(0, n - 1))
        if padding == "zeros":
            keep = [-1 if a == axis else 1 for a in range(4)]
            low = low * ((first >= 0) & (first < n)).view(keep)
            high = high * ((second >= 0) & (second < n)).view(keep)
        volume = torch.lerp(low, high, weight)
    return volume
