"""Features of a whole volume on a finer grid than an encoder's own, from shifted windows.

An encoder gives one vector for each cube of p voxels. Windows that begin p / n voxels later give
the vectors of cubes that lie between, so that n shifts along each axis make a grid of p / n voxels.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from samssl_cli.volumes.coarse import CoarseGrid
from samssl_cli.volumes.grid import Index
from samssl_cli.volumes.voxels import Image

Encode = Callable[[Index], Image]
"""From the first voxel of a window to its features (D, g, g, g)."""


@dataclass(frozen=True)
class Run:
    """A window along one axis, of one shift."""

    start: int
    """Its first voxel; may lie before the volume."""
    inside: slice
    """Those of its cubes whose middle is in a cell."""
    cells: slice
    """And these cells."""


def dense_features(
    encode: Encode, shape: Index, *, window: int, patch: int, num_shifts: int, overlap: float
) -> CoarseGrid:
    """Features on cells of patch / num_shifts voxels, each of a cube of `patch` around its middle.

    Where windows overlap, the more central cube weighs more. Encodes at least num_shifts^3 windows.

    Args:
        encode: gives the features of a window.
        shape: (I, J, K) of the volume.
        window: voxels along one side of a window.
        patch: voxels along one side of a cube.
        num_shifts: along each axis; patch / num_shifts has to be even, or num_shifts 1.
        overlap: least share of adjoining windows, 0 to below 1, where one does not suffice.
    """
    cell = patch // num_shifts
    assert cell * num_shifts == patch, (patch, num_shifts)
    i, j, k = (math.ceil(n / cell) for n in shape)
    side = window // patch
    ramp = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5)
    central = np.prod(np.meshgrid(ramp, ramp, ramp, indexing="ij"), axis=0).astype(np.float32)
    total: Image | None = None
    weight = np.zeros((i, j, k), np.float32)
    axes = [list(_runs(n, side, patch, num_shifts, overlap)) for n in (i, j, k)]
    for runs in product(*axes):
        a, b, c = runs
        features = encode((a.start, b.start, c.start))
        if total is None:
            total = np.zeros((len(features), i, j, k), np.float32)
        cells, inside = tuple(run.cells for run in runs), tuple(run.inside for run in runs)
        total[:, *cells] += (features * central)[:, *inside]
        weight[cells] += central[inside]
    assert total is not None
    return CoarseGrid(total / weight, (float(cell),) * 3)


def on_image(grid: CoarseGrid, shape: Index, image_shape: Index) -> CoarseGrid:
    """The same cells, in voxels of an image of the same extent that has others."""
    a, b, c = (
        size * theirs / ours
        for size, ours, theirs in zip(grid.cell_voxels, shape, image_shape, strict=True)
    )
    return CoarseGrid(grid.values, (a, b, c))


def _runs(num_cells: int, side: int, patch: int, num_shifts: int, overlap: float) -> Iterator[Run]:
    """The windows along one axis that give every cell a cube around its middle."""
    cell = patch // num_shifts
    for shift in range(min(num_shifts, num_cells)):
        num_cubes = len(range(shift, num_cells, num_shifts))
        first = cell * shift - (patch - cell) // 2  # where the cube around the first cell begins
        for skipped in _skipped(num_cubes, side, overlap):
            low, high = max(skipped, 0), min(skipped + side, num_cubes)
            cells = slice(shift + low * num_shifts, shift + (high - 1) * num_shifts + 1, num_shifts)
            yield Run(first + skipped * patch, slice(low - skipped, high - skipped), cells)


def _skipped(num_cubes: int, side: int, overlap: float) -> NDArray[np.int64]:
    """How many cubes come before each window; below 0 for the only one around a short axis."""
    if num_cubes <= side:
        return np.array([-((side - num_cubes) // 2)])
    count = math.ceil((num_cubes - side) / (side * (1 - overlap))) + 1
    return np.rint(np.linspace(0, num_cubes - side, count)).astype(np.int64)
