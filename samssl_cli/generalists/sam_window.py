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
        """
        if self.fixed is not None:
            return self.fixed
        low, high = np.percentile(self._looked_at(volume, prompts), self.percentiles)
        return float(low), float(high)

    def _looked_at(self, volume: NDArray[np.float32], prompts: Sequence[Prompt]) -> NDArray[Any]:
        if self.kind == "around":
            return volume[surroundings(prompts, volume.shape)]
        if self.kind == "tissue":
            tissue = volume[volume > volume.min()]
            return tissue if tissue.size else volume
        return volume


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
