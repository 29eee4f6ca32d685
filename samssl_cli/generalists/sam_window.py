"""Which intensities SAM sees as black and as white.

Images come standardised from `preprocess`: CT clipped to the window of the labeled foreground and
scaled alike in all cases, other channels as z-scores of the non-zero voxels. Both leave air, or
what lies below the window, at the lowest value of the volume. What the Hounsfield units were is
not known here; docs/generalists.md says which rule fits which images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from samssl_cli.prompts.types import Prompt

WindowName = Literal["percentiles", "tissue", "around", "fixed"]
Ends = tuple[float, float]
"""The intensities that are black and white."""
Region = tuple[slice, slice, slice]

_MIN_MARGIN_VOXELS = 8  # around one click there would be nothing else
_ROBUST_RANGE = (0.5, 99.5)  # percentiles; what lies beyond has no say in what is air
_BINS = 50  # of that range
_LEAST_AIR = 0.1  # share of the voxels in one bin; the fullest of a normal distribution has 0.04
_MOST_BELOW_AIR = 0.05  # share of the voxels; what resampling leaves below air is less


@dataclass(frozen=True)
class Window:
    """A rule for the two ends of the grey scale."""

    kind: WindowName
    percentiles: Ends
    fixed: Ends | None
    """Of kind "fixed"."""

    def ends(self, volume: NDArray[np.float32], prompts: Sequence[Prompt]) -> Ends:
        """The two ends for a channel (I, J, K); "around" looks where the prompts say the object is.

        Source: "tissue" is what MedSAM does with everything but CT, where air is 0 (Ma et al., Nat.
        Commun. 2024, data preprocessing).
        Differs: air is found, see `highest_air`, because after preprocessing it is not 0.
        """
        if self.fixed is not None:
            return self.fixed
        low, high = np.percentile(self._looked_at(volume, prompts), self.percentiles)
        return float(low), float(high)

    def _looked_at(self, volume: NDArray[np.float32], prompts: Sequence[Prompt]) -> NDArray[Any]:
        if self.kind == "around":
            return volume[surroundings(prompts, volume.shape)]
        if self.kind == "tissue":
            tissue = volume[volume > highest_air(volume)]
            return tissue if tissue.size else volume
        return volume


def highest_air(volume: NDArray[np.float32]) -> float:
    """The intensity up to which the voxels of (I, J, K) are air.

    Air is the lowest intensity that many voxels have: a bin of a histogram with a tenth of them,
    and few below. It ends one bin above the median of that one, because cubic resampling leaves
    ripples around the body, below air and above. Without such a bin the lowest value alone is air.
    """
    low, high = np.percentile(volume, _ROBUST_RANGE)
    if not high > low:
        return float(volume.min())
    counts, edges = np.histogram(volume, _BINS, (low, high))
    is_full = counts > _LEAST_AIR * volume.size
    first = int(np.argmax(is_full))
    if not is_full.any() or (volume < edges[first]).mean() > _MOST_BELOW_AIR:
        return float(volume.min())
    within = volume[(volume >= edges[first]) & (volume <= edges[first + 1])]
    return float(np.median(within) + edges[1] - edges[0])


def surroundings(prompts: Sequence[Prompt], shape: tuple[int, ...]) -> Region:
    """The object's box, of all prompts together, and half its size more on every side.

    At least 8 voxels more; inside the volume; all of it when no prompt says where the object is.
    """
    boxes = [box for prompt in prompts if (box := prompt.extent) is not None]
    if not boxes:
        return slice(None), slice(None), slice(None)
    low = np.min([box.low for box in boxes], axis=0)
    high = np.max([box.high for box in boxes], axis=0)
    margin = np.maximum((high - low + 1) // 2, _MIN_MARGIN_VOXELS)
    starts, stops = np.maximum(low - margin, 0), np.minimum(high + margin, shape)
    i, j, k = (slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True))
    return i, j, k


def grey(volume: NDArray[np.float32], ends: Ends) -> NDArray[np.uint8]:
    """Map intensities between two ends to 0-255, clipping; 0 everywhere when they do not rise."""
    low, high = np.asarray(ends, np.float64)  # numpy then computes in double precision
    if not high > low:
        return np.zeros(volume.shape, np.uint8)
    scaled = np.clip((volume - low) / (high - low), 0, 1)
    return np.asarray(np.rint(255 * scaled), np.uint8)
