"""How much two masks overlap, and how much they differ in size: all from three counts of voxels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Counts:
    """Numbers of voxels of two masks P (prediction) and R (reference)."""

    prediction: int
    """|P|."""
    reference: int
    """|R|."""
    both: int
    """|P and R|."""


def count(prediction: NDArray[np.bool_], reference: NDArray[np.bool_]) -> Counts:
    """Count the voxels of two masks; shapes: any, the same for both."""
    return Counts(
        prediction=int(np.count_nonzero(prediction)),
        reference=int(np.count_nonzero(reference)),
        both=int(np.count_nonzero(prediction & reference)),
    )


def dice(counts: Counts) -> float:
    """Give 2 |P and R| / (|P| + |R|).

    Both empty: 1. Exactly one empty: 0.
    Source: Dice, Ecology 1945.
    """
    total = counts.prediction + counts.reference
    return 2 * counts.both / total if total else 1.0


def jaccard(counts: Counts) -> float:
    """Give |P and R| / |P or R|, the intersection over the union.

    Both empty: 1. Exactly one empty: 0.
    Source: Jaccard, New Phytologist 1912.
    """
    union = counts.prediction + counts.reference - counts.both
    return counts.both / union if union else 1.0


def precision(counts: Counts) -> float:
    """Give |P and R| / |P|, the share of the prediction that is right.

    Both empty: 1. Exactly one empty: 0.
    Source: Taha & Hanbury, BMC Medical Imaging 2015; medpy.metric.binary.precision.
    Differs: an empty prediction of something that is there gets 0, though it says nothing wrong.
    """
    return _share(counts.both, counts.prediction, counts.reference)


def recall(counts: Counts) -> float:
    """Give |P and R| / |R|, the share of the reference that was found (sensitivity).

    Both empty: 1. Exactly one empty: 0.
    Source: Taha & Hanbury, BMC Medical Imaging 2015; medpy.metric.binary.recall.
    Differs: a prediction of something that is not there gets 0, though it overlooks nothing.
    """
    return _share(counts.both, counts.reference, counts.prediction)


def volume_difference(counts: Counts, voxel_volume: float) -> float:
    """Give | |P| - |R| | in the unit of `voxel_volume`.

    Both empty: 0. Exactly one empty: the volume of the other.
    """
    return abs(counts.prediction - counts.reference) * voxel_volume


def volume_difference_percent(counts: Counts) -> float:
    """Give | |P| - |R| | in percent of the mean of |P| and |R|, 0 to 200.

    Both empty: 0. Exactly one empty: 200.
    Source: 200 (1 - VS) with the volumetric similarity VS of Taha & Hanbury, BMC Med. Imaging 2015.
    Differs: not relative to |R|, which has no value without a reference and favours the small.
    """
    total = counts.prediction + counts.reference
    return 200 * abs(counts.prediction - counts.reference) / total if total else 0.0


def _share(both: int, whole: int, other: int) -> float:
    """`both` in `whole`; where `whole` is empty, 1 if `other` is empty too."""
    if not whole:
        return 0.0 if other else 1.0
    return both / whole
