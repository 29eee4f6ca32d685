import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from samssl_cli.metrics.intervals import mean_interval
from samssl_cli.metrics.paired import holm, paired, rank_balance, signed_rank_p, smallest_p


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        # of the 2**5 ways to put signs, one has a sum of lower ranks of 0; both sides: 2 / 32
        pytest.param([1, 2, 3, 4, 5], 0.0625, id="5 of 5"),
        # {} and {1}: 2 * 2 / 32
        pytest.param([-1, 2, 3, 4, 5], 0.125, id="the smallest points the other way"),
        # ranks 2, 2, 2, 4: the lower sum is 2, reached by {} and three single ranks: 2 * 4 / 16
        pytest.param([-1, 1, 1, 2], 0.5, id="ties share a rank"),
        # ranks 4, 5, 6 after the zeros' 1 to 3: 2 * 1 / 8
        pytest.param([0, 0, 0, 1, 2, 3], 0.25, id="zeros are ranked, then leave"),
        # the zero takes rank 1: of 2, 3, 4 the lower sum is 4, reached by {}, 2, 3, 4: 2 * 4 / 8
        pytest.param([0, 1, 2, -3], 1.0, id="nothing to see"),
        pytest.param([0, 0, 0], 1.0, id="all zero"),
        pytest.param([], 1.0, id="empty"),
        pytest.param([0.3], 1.0, id="one case"),
    ],
)
def test_signed_rank_p_by_hand(differences, p):
    assert signed_rank_p(differences) == pytest.approx(p)
    assert signed_rank_p([-value for value in differences]) == pytest.approx(p)


@pytest.mark.parametrize("num_cases", [1, 2, 7, 12, 40])
def test_without_ties_it_is_scipys_exact_test(num_cases):
    differences = np.random.default_rng(num_cases).normal(0.4, 1, num_cases)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank_p(differences) == pytest.approx(expected)


def test_rounding_does_not_break_ties():
    differences = [0.3 - 0.2, 0.2 - 0.1, 0.9 - 1.0]  # 0.1, 0.1, -0.1
    assert len(set(map(abs, differences))) > 1
    assert signed_rank_p(differences) == signed_rank_p([1, 1, -1])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_p_is_the_share_of_sign_changes_that_are_as_one_sided(differences):
    """Every way of putting the signs, counted one by one."""
    sizes = np.abs(differences)
    ranks = stats.rankdata(sizes)[sizes > 0]
    observed = abs(np.sign(differences)[sizes > 0] @ ranks)
    ways = list(itertools.product([-1, 1], repeat=len(ranks)))
    sums = np.abs(np.reshape(ways, (len(ways), len(ranks))) @ ranks)
    assert signed_rank_p(differences) == pytest.approx((sums >= observed).mean())


def test_rank_balance():
    assert rank_balance([1, 2, 3]) == 1
    assert rank_balance([-1, -2, -3]) == -1
    assert rank_balance([-1, 2, 3]) == pytest.approx((5 - 1) / 6)
    assert rank_balance([]) == rank_balance([0, 0]) == 0


def test_holm_by_hand():
    # sorted: 0.01 * 4, 0.02 * 3, then 0.03 * 2 = 0.06 and 0.04 * 1, which is not below it
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_the_smallest_p():
    assert smallest_p(5) == 0.0625 == signed_rank_p([1, 1, 1, 1, 1])
    assert smallest_p(6) == 0.03125
    assert smallest_p(6, num_tests=2) == 0.0625 == max(holm([0.03125, 0.03125]))
    assert smallest_p(1, num_tests=3) == 1.0


def test_higher_is_better():
    found = paired([0.9, 0.8, 0.7, 0.5], [0.8, 0.6, 0.7, 0.6], higher_is_better=True)
    assert found.mean == pytest.approx((0.1 + 0.2 + 0 - 0.1) / 4)
    assert (found.num_wins, found.num_ties, found.num_losses, found.num_cases) == (2, 1, 1, 4)
    expected = mean_interval([0.1, 0.2, 0.0, -0.1])
    assert (found.low, found.high) == pytest.approx(tuple(map(float, expected)))
    # after the zero: ranks 2.5, 4 against 2.5
    assert found.rank_balance == pytest.approx((6.5 - 2.5) / 9)


def test_lower_is_better():
    found = paired([4.0, 5.0, 9.0], [6.0, 8.0, 8.0], higher_is_better=False)
    assert found.mean == pytest.approx((-2 - 3 + 1) / 3)
    assert (found.num_wins, found.num_ties, found.num_losses) == (2, 0, 1)


def test_the_same_values_twice():
    values = [0.7, 0.8, 0.9]
    found = paired(values, values, higher_is_better=True)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert (found.num_ties, found.num_cases) == (3, 3)


def test_a_difference_of_overlaps_stays_possible():
    found = paired([1, 1, 1, 0.9], [0, 0, 0, 0.9], higher_is_better=True, bounds=(-1, 1))
    assert found.high == 1


def test_a_planted_difference_is_found_and_none_is_not():
    """+3 Dice with a noise of 3 on 12 cases: found in nearly all; without it, in one of twenty."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.03, (400, 12))
    found = np.mean([signed_rank_p(row + 0.03) < 0.05 for row in noise])
    falsely = np.mean([signed_rank_p(row) < 0.05 for row in noise])
    assert found > 0.8
    assert 0.02 < falsely < 0.08
