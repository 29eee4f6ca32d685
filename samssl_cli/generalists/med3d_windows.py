"""Cubic windows around an object: where they are placed, what is in them, how answers are joined.

Everything here is in voxels of the grid that the model sees, 1.5 mm in each direction.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from samssl_cli.volumes.grid import Index

Volume = NDArray[np.float32]
Corner = NDArray[np.float64]

OUTSIDE_LOGIT = -20.0
"""The answer where no window was placed: probability 2e-9."""

_MARGIN_VOXELS = 8  # seen around an object that takes several windows
_AIR_TOLERANCE = 1e-4  # of the range of intensities: what rounding may add to air


def place_windows(low: Corner, high: Corner, size: int, *, overlap: float) -> list[Index]:
    """The first voxels of the windows that cover an object's box.

    An object that fits gets one window, with its box in the middle, as in training; it may reach
    beyond the volume. A larger one gets, along each axis where it is larger, evenly spread windows
    that share at least `overlap` of their width and cover a margin of 8 voxels on both sides.

    Args:
        low: (3,) first faces of the box.
        high: (3,) last faces.
        size: voxels along one side of a window.
        overlap: 0 to below 1.
    """
    starts = [_starts(a, b, size, overlap) for a, b in zip(low, high, strict=True)]
    return [(i, j, k) for i, j, k in product(*starts)]


def _starts(low: float, high: float, size: int, overlap: float) -> list[int]:
    if high - low <= size:
        return [round((low + high - size) / 2)]
    first, last = low - _MARGIN_VOXELS, high + _MARGIN_VOXELS - size
    count = math.ceil((last - first) / (size * (1 - overlap))) + 1
    return [round(float(start)) for start in np.linspace(first, last, count)]


def cut(volume: Volume, start: Index, size: int, *, fill: float) -> Volume:
    """A window (size, size, size) of a volume (I, J, K), `fill` where it reaches beyond it."""
    window = np.full((size,) * 3, fill, np.float32)
    inside, there = _overlap(volume.shape, start, size)
    window[there] = volume[inside]
    return window


def standardised(window: Volume, *, air: float, intensity_range: float) -> Volume:
    """Subtract the mean and divide by the standard deviation of all voxels that are not air.

    The standard deviation is the unbiased one. A window in which all tissue has one intensity, or
    with fewer than two voxels of tissue, becomes zeros.

    Args:
        window: (size, size, size).
        air: the intensity of air.
        intensity_range: of the whole volume; voxels above air by less than 1e-4 of it are air.

    Source: Wang et al., arXiv:2310.15161: torchio's `ZNormalization`, masked with `x > 0`.
    Differs: their images are raw, so that air is 0; ours were standardised, which changes neither
        the result nor which voxels are lowest, so that air is the lowest intensity of the volume.
        In CT they mask with 0 HU, and fill with it; here it is the lower end of the CT window.
    """
    tissue = window[window > air + _AIR_TOLERANCE * intensity_range].astype(np.float64)
    if tissue.size < 2 or not (std := float(tissue.std(ddof=1))) > _AIR_TOLERANCE * intensity_range:
        return np.zeros_like(window)
    return np.asarray((window - tissue.mean()) / std, np.float32)


class Mosaic:
    """Answers of overlapping windows, averaged where they meet.

    A window weighs most at its centre and least, but something, at its faces: along each axis
    min(n + 1/2, size - n - 1/2) at voxel n. A voxel that one window alone has seen keeps its logit.
    """

    def __init__(self, shape: Index, size: int) -> None:
        """Start empty.

        Args:
            shape: of the volume (I, J, K).
            size: voxels along one side of a window.
        """
        self._size = size
        self._sum = np.zeros(shape, np.float32)
        self._weight = np.zeros(shape, np.float32)
        ramp = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5)
        i, j, k = np.ix_(ramp, ramp, ramp)
        self._weights = np.asarray(i * j * k / ramp.max() ** 3, np.float32)

    def add(self, logits: Volume, start: Index) -> None:
        """Add the answer (size, size, size) of the window that begins at `start`."""
        inside, there = _overlap(self._sum.shape, start, self._size)
        self._sum[inside] += (logits * self._weights)[there]
        self._weight[inside] += self._weights[there]

    def logits(self) -> Volume:
        """The averages (I, J, K); `OUTSIDE_LOGIT` where there was no window."""
        outside = np.full_like(self._sum, OUTSIDE_LOGIT)
        return np.divide(self._sum, self._weight, out=outside, where=self._weight > 0)


def _overlap(
    shape: Sequence[int], start: Index, size: int
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The same voxels, as an index into the volume and as one into the window."""
    spans = [(max(a, 0), max(min(a + size, n), 0)) for a, n in zip(start, shape, strict=True)]
    inside = tuple(slice(a, max(a, b)) for a, b in spans)
    there = tuple(slice(s.start - a, s.stop - a) for s, a in zip(inside, start, strict=True))
    return inside, there
