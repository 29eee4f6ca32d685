"""Whether the probabilities of a class come true as often as they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray

_MARGIN_VOXELS = 10  # what is looked at beyond the object: its border, and not all the background


_MOST_VOXELS = 2**53  # beyond, floats do not count one by one


@dataclass(frozen=True)
class ReliabilityCounts:
    """Voxels of one class by their predicted probability; those of several cases add up.

    Bin b of B holds the probabilities in [b/B, (b + 1)/B), the last one 1 as well.
    """

    count: NDArray[np.int64]
    """(bins,) voxels."""
    confidence_sum: NDArray[np.float64]
    """(bins,) their probabilities, added up."""
    hits: NDArray[np.float64]
    """(bins,) how many of them are of the class."""

    @classmethod
    def empty(cls, num_bins: int) -> "ReliabilityCounts":
        """No voxels yet."""
        return cls(np.zeros(num_bins, np.int64), np.zeros(num_bins), np.zeros(num_bins))

    def __add__(self, other: "ReliabilityCounts") -> "ReliabilityCounts":
        return ReliabilityCounts(
            self.count + other.count,
            self.confidence_sum + other.confidence_sum,
            self.hits + other.hits,
        )

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(bins,) the mean predicted probability; NaN for an empty bin."""
        return self._mean(self.confidence_sum)

    @property
    def frequency(self) -> NDArray[np.float64]:
        """(bins,) the share of the voxels that are of the class; NaN for an empty bin."""
        return self._mean(self.hits)

    @property
    def ece(self) -> float:
        """Give the expected calibration error, 0-1; without a voxel, 0.

        sum over the bins of n_b / N * |confidence_b - frequency_b|

        Source: Naeini et al., AAAI 2015; Guo et al., ICML 2017, eq. 3.
        Differs: it is the calibration of the probability of one class, of every voxel that was
            counted, not of the top label's; an empty bin adds nothing.
        """
        gaps = np.abs(self.confidence_sum - self.hits)  # n_b * |confidence_b - frequency_b|
        return float(gaps.sum() / max(1, int(self.count.sum())))

    def to_json(self) -> dict[str, list[float]]:
        """Plain JSON values."""
        return {name: array.tolist() for name, array in vars(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ReliabilityCounts":
        """The counts that `to_json` described.

        Raises:
            KeyError, TypeError, ValueError: when it did not describe these.
        """
        read = cls(
            np.array(values["count"], np.int64),
            np.array(values["confidence_sum"], np.float64),
            np.array(values["hits"], np.float64),
        )
        for name, array in vars(read).items():
            is_in_range = ((array >= 0) & (array <= _MOST_VOXELS)).all()
            if array.ndim != 1 or array.shape != read.count.shape or not is_in_range:
                raise ValueError(f"{name}: expected a count for each bin")
        return read

    def _mean(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(self.count > 0, total / np.maximum(self.count, 1), np.nan)


def reliability(
    probability: NDArray[np.float32], reference: NDArray[np.bool_], *, num_bins: int = 15
) -> ReliabilityCounts:
    """Count the voxels of one class of one case by their probability.

    Only the voxels near the object count: in the box around the prediction (a probability of at
    least 0.5) and the reference together, 10 voxels larger on every side as far as the volume goes.
    Over a whole volume the sure background, 90 % of a cropped one and more of others, would leave
    next to nothing of any error. Both empty: no voxels.

    Shapes: (I, J, K) for both; probability float32 in 0-1.
    Source: Guo et al., ICML 2017, with its 15 bins of equal width.
    Differs: a probability on the border of two bins falls into the upper one.
    """
    assert probability.shape == reference.shape, (probability.shape, reference.shape)
    frame = _neighbourhood((probability >= 0.5) | reference)
    if frame is None:
        return ReliabilityCounts.empty(num_bins)
    near, true = probability[frame].ravel(), reference[frame].ravel()
    bins = (near * num_bins).astype(np.int64).clip(0, num_bins - 1)
    return ReliabilityCounts(
        count=np.bincount(bins, minlength=num_bins),
        confidence_sum=np.asarray(np.bincount(bins, near, num_bins), np.float64),
        hits=np.asarray(np.bincount(bins, true, num_bins), np.float64),
    )


def _neighbourhood(mask: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """The bounding box of a mask with a margin, or None when the mask is empty."""
    if not mask.any():
        return None
    (frame,) = scipy.ndimage.find_objects(mask.astype(np.uint8))
    return tuple(
        slice(max(0, side.start - _MARGIN_VOXELS), side.stop + _MARGIN_VOXELS) for side in frame
    )
