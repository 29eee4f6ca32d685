"""Whether the gated answers are better than the specialist, and by more than chance gives."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BINS = 5
_LARGEST_WEIGHT = 10.0


def importance(simulated: Array, real: Array) -> Array:
    """Weigh simulated objects so that a quantity is distributed as over the real ones.

    weight = share of the real in a bin / share of the simulated in it, both with one added to each
    of five bins between the quantiles of the real; 10 at most.

    Args:
        simulated: (N,) the quantity of each simulated object.
        real: (M,) of the real ones; without any, all weights are 1.
    """
    if not real.size:
        return np.ones(len(simulated))
    edges = np.quantile(real, np.arange(1, _BINS) / _BINS)
    counts = [
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=_BINS)
        for values in (real, simulated)
    ]
    wanted, found = ((count + 1) / (count.sum() + _BINS) for count in counts)
    ratio = (wanted / found).clip(max=_LARGEST_WEIGHT)
    return np.asarray(ratio[np.searchsorted(edges, simulated, side="right")], np.float64)


def mean_gain(
    differences: Array, weights: Array, *clusterings: Sequence[Hashable]
) -> tuple[float, float]:
    """Give the weighted mean of (N,) differences, and its standard error.

    SE² = n / (n - 1) * sum over n clusters of (sum of w (d - mean) in it)² / (sum of w)²; what lies
    in one cluster need not be independent. Of several clusterings the largest error counts; one
    with a single cluster says nothing, and without any other the error is infinite.
    """
    total = weights.sum()
    mean = float(weights @ differences / total)
    errors = []
    for clusters in clusterings:
        sums: dict[Hashable, float] = {}
        for cluster, part in zip(clusters, weights * (differences - mean), strict=True):
            sums[cluster] = sums.get(cluster, 0.0) + float(part)
        num = len(sums)
        if num > 1:
            squares = sum(value**2 for value in sums.values())
            errors.append(float(np.sqrt(num / (num - 1) * squares) / total))
    return mean, max(errors, default=float("inf"))
