"""Volumes as stacks of pictures: which axis is cut, and where a voxel lies in its picture.

SAM looks at pictures of rows and columns. Ours show RAS+ volumes the way a radiologist does (and
the way MedSAM was trained): the first remaining axis runs along the columns and the second along
the rows, both from their high end, so that an axial picture has anterior on top and the patient's
right on the left.

    cut across k:  column x = I - 1 - i,  row y = J - 1 - j
    cut across j:  column x = I - 1 - i,  row y = K - 1 - k
    cut across i:  column x = J - 1 - j,  row y = K - 1 - k
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.sam_window import Window, grey
from samssl_cli.prompts.types import Box

AxisName = Literal["i", "j", "k", "auto"]


@dataclass(frozen=True)
class Slicing:
    """How a volume of one shape is cut into pictures, and back."""

    axis: int
    shape: tuple[int, int, int]

    @property
    def num_slices(self) -> int:
        """How many pictures there are."""
        return self.shape[self.axis]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns (H, W) of a picture."""
        first, second = self.in_plane
        return self.shape[second], self.shape[first]

    @property
    def in_plane(self) -> tuple[int, int]:
        """The axes that run along the columns and along the rows."""
        first, second = (axis for axis in range(3) if axis != self.axis)
        return first, second

    def pictures(self, volume: NDArray[Any]) -> NDArray[Any]:
        """View an (I, J, K) volume as (N, H, W) pictures; writing to them writes to the volume."""
        return np.moveaxis(volume, self.axis, 0).transpose(0, 2, 1)[:, ::-1, ::-1]

    def xy(self, coordinates: NDArray[np.int64]) -> NDArray[np.float64]:
        """Convert voxels (N, 3) to pixels (N, 2) as (x, y); whole numbers are pixel centres."""
        axes = list(self.in_plane)
        last = np.array([self.shape[axis] - 1 for axis in axes])
        return (last - coordinates[:, axes]).astype(np.float64)

    def rectangle(self, box: Box) -> tuple[int, int, int, int]:
        """The cross-section of a box as (x0, y0, x1, y1): its first and last pixels, inclusive."""
        corners = self.xy(np.array([box.high, box.low])).astype(int)
        (x0, y0), (x1, y1) = corners
        height, width = self.size
        return max(x0 + 1, 0), max(y0 + 1, 0), min(x1, width - 1), min(y1, height - 1)


def slicing(axis: AxisName, shape: tuple[int, ...]) -> Slicing:
    """Cut across the named axis; "auto" takes the one with the fewest slices (k before j before i).

    Thick-slice scans have few slices in the direction in which they were acquired, so the pictures
    of "auto" are the sharp ones.
    """
    size = (shape[0], shape[1], shape[2])
    index = min((2, 1, 0), key=lambda a: size[a]) if axis == "auto" else "ijk".index(axis)
    return Slicing(index, size)


def windowed(volume: NDArray[np.float32], percentiles: tuple[float, float]) -> NDArray[np.uint8]:
    """Map intensities between two percentiles to 0-255, clipping; a constant volume becomes 0.

    Source: Ma et al., Nat. Commun. 2024 (MedSAM), data preprocessing (0.5 and 99.5).
    """
    return grey(volume, Window("percentiles", percentiles, None).ends(volume, ()))
