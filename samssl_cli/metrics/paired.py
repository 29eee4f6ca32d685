"""Two models on the same cases: how far apart, how surely, and with how many tests in mind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from samssl_cli.metrics.intervals import mean_interval

Values = NDArray[np.float64]

_DECIMALS = 9
"""What is closer than this is a tie: 0.3 - 0.2 and 0.2 - 0.1 differ by rounding alone."""


@dataclass(frozen=True)
class Paired:
    """How a model differs from a baseline, case by case."""

    mean: float
    """Of model minus baseline, in the unit of the values."""
    low: float
    """Lower end of the confidence interval of the mean."""
    high: float
    """Its upper end."""
    p: float
    """Two-sided Wilcoxon signed-rank test, for this difference alone."""
    rank_balance: float
    """Part of the rank sum where the model is higher minus where it is lower, -1 to 1."""
    num_wins: int
    """Cases on which the model is better, whichever direction that is."""
    num_ties: int
    num_losses: int

    @property
    def num_cases(self) -> int:
        """How many pairs there are."""
        return self.num_wins + self.num_ties + self.num_losses


def paired(
    model: ArrayLike,
    baseline: ArrayLike,
    *,
    higher_is_better: bool,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Paired:
    """Compare the values of two models, each (n,), in the same order of cases; n at least 1.

    `bounds` are the lowest and the highest possible difference, such as (-1, 1) for an overlap.
    """
    differences = np.subtract(model, baseline, dtype=np.float64)
    low, high = mean_interval(differences, level=level, bounds=bounds)
    signs = np.sign(differences.round(_DECIMALS)) * (1 if higher_is_better else -1)
    return Paired(
        mean=float(differences.mean()),
        low=float(low),
        high=float(high),
        p=signed_rank_p(differences),
        rank_balance=rank_balance(differences),
        num_wins=int((signs > 0).sum()),
        num_ties=int((signs == 0).sum()),
        num_losses=int((signs < 0).sum()),
    )


def signed_rank_p(differences: ArrayLike) -> float:
    """Give the two-sided p of the Wilcoxon signed-rank test, exact for any number of cases.

    How likely the ranks are at least as one-sided as they are, if every difference had been as
    likely to have the other sign. Equal sizes share their mean rank; zeros take part in the ranking
    and then leave (Pratt), so that many unchanged cases do not make a few changed ones look
    unanimous.

    Shapes: (n,) to a number, 0 to 1. Empty, or all zero: 1. With k differences that are not zero, p
    is never below 2 ** (1 - k). A thousand cases take two seconds.
    Source: Wilcoxon, Biometrics Bulletin 1945; Pratt, JASA 1959.
    Differs: `scipy.stats.wilcoxon` is exact without ties and zeros only.
    """
    ranks, is_higher = _signed_ranks(differences)
    doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks are multiples of a half
    lower_sum = min(int(doubled[is_higher].sum()), int(doubled[~is_higher].sum()))
    tail = _rank_sum_probabilities(doubled)[: lower_sum + 1].sum()
    return min(1.0, 2 * float(tail))


def rank_balance(differences: ArrayLike) -> float:
    """Give the matched-pairs rank-biserial correlation: which way the signed ranks point.

    Shapes: (n,) to -1 (all below zero) … 1 (all above). Empty, or all zero: 0.
    Source: Kerby, Comprehensive Psychology 2014.
    """
    ranks, is_higher = _signed_ranks(differences)
    total = ranks.sum()
    return float((2 * ranks[is_higher].sum() - total) / total) if total else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family of tests, in the order given, for there being several.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is below a smaller one,
    or above 1. Rejecting those below a keeps the chance of any false rejection at a or less.
    Empty: empty.

    Source: Holm, Scandinavian Journal of Statistics 1979.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def smallest_p(num_cases: int, num_tests: int = 1) -> float:
    """Give what no Holm-adjusted p of `num_tests` signed-rank tests on these cases can be below.

    5 cases: 0.0625, whatever the models do. 6 cases: 0.03125 alone, 0.0625 as one of two.
    """
    return min(1.0, num_tests * 2.0 ** (1 - num_cases))


def _signed_ranks(differences: ArrayLike) -> tuple[Values, NDArray[np.bool_]]:
    """The ranks of the differences that are not zero, and which of these are above zero."""
    rounded = np.asarray(differences, np.float64).round(_DECIMALS)
    is_untied = rounded != 0
    ranks = stats.rankdata(np.abs(rounded))
    return ranks[is_untied], rounded[is_untied] > 0


def _rank_sum_probabilities(ranks: NDArray[np.int64]) -> Values:
    """How likely each sum (0 … total) of integer ranks is when each is in it with one half."""
    probabilities = np.zeros(int(ranks.sum()) + 1)
    probabilities[0] = 1.0
    for rank in ranks:
        without = probabilities / 2
        probabilities[rank:] = without[rank:] + without[: len(without) - rank]
        probabilities[:rank] = without[:rank]
    return probabilities
