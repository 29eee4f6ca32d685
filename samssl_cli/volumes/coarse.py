"""A coarse grid of vectors laid over a volume, such as the features of an encoder."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli.volumes.grid import Index
from samssl_cli.volumes.voxels import Image


@dataclass(frozen=True)
class CoarseGrid:
    """Values on cells of equal size; the first cell begins at the outer face of the first voxel.

    The last cells may reach beyond the volume.
    """

    values: Image
    """(D, A, B, C) float32."""
    cell_voxels: tuple[float, float, float]
    """Voxels of the volume along each side of a cell; not necessarily whole numbers."""

    def with_values(self, values: Image) -> "CoarseGrid":
        """Other values (D', A, B, C) on the same cells."""
        assert values.shape[1:] == self.values.shape[1:], values.shape
        return CoarseGrid(values, self.cell_voxels)

    def on_voxels(self, shape: Index) -> Image:
        """The values (D, *shape) at every voxel of the volume, interpolated linearly.

        Between the volume's border and the middle of the outermost cells, those cells count alone.
        """
        result = self.values
        for axis, num_voxels in enumerate(shape, start=1):
            voxels = np.arange(num_voxels, dtype=np.float64)
            centres = (voxels + 0.5) / self.cell_voxels[axis - 1] - 0.5
            result = _interpolated(result, centres, axis)
        return result

    def shares(self, masks: NDArray[np.bool_]) -> Image:
        """The share of each mask (M, I, J, K) in every cell (M, A, B, C), 0-1.

        A voxel belongs to the cell that its middle lies in; cells without any voxel get 0.
        """
        cells = self.values.shape[1:]
        index = [
            np.minimum(((np.arange(n) + 0.5) / size).astype(int), last - 1)
            for n, size, last in zip(masks.shape[1:], self.cell_voxels, cells, strict=True)
        ]
        place = np.ravel_multi_index(np.ix_(*index), cells)
        where = np.arange(np.prod(cells))
        counts = ndimage.sum_labels(np.ones(place.shape), place, where)
        sums = np.stack([ndimage.sum_labels(mask, place, where) for mask in masks])
        shares = sums / np.maximum(counts, 1)
        return np.asarray(shares.reshape(len(masks), *cells), np.float32)


def _interpolated(values: Image, centres: NDArray[np.float64], axis: int) -> Image:
    """The values at these positions along one axis, linearly, the border continued."""
    last = values.shape[axis] - 1
    inside = np.clip(centres, 0, last)
    low = np.minimum(inside.astype(int), max(last - 1, 0))
    weight = (inside - low).astype(np.float32)
    weight = weight.reshape([-1 if n == axis else 1 for n in range(values.ndim)])
    below = np.take(values, low, axis)
    above = np.take(values, np.minimum(low + 1, last), axis)
    return np.asarray(below + weight * (above - below), np.float32)
