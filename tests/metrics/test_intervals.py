import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit

from samssl_cli.metrics.intervals import _limit, mean_interval

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "interval_coverage.py"


@pytest.mark.parametrize("data", ["normal", "Dice", "Dice, difference"])
def test_intervals_cover_at_the_stated_rate(data):
    """12 cases, 2000 data sets: the standard error of a rate of 95 % is 0.5 %."""
    benchmark = runpy.run_path(str(BENCHMARK))
    draw, mean = benchmark["DATA"][data]
    rate = {
        name: benchmark["coverage"](
            *benchmark["ends"](benchmark["INTERVALS"][name], draw, 12, repeats=2000, seed=1), mean
        )
        for name in ("studentised: ours", "percentile")
    }
    assert 93.5 < rate["studentised: ours"] < 96.5
    assert rate["percentile"] < 92.5  # why it is not the one we use


def test_two_cases_give_students_interval():
    """A resample is (0, 0), (0, 2) or (2, 2), so t* is the limit, 0, or minus the limit.

    The mean is 1, its standard error 1, and Student's quantile for one degree of freedom 12.706.
    """
    low, high = mean_interval([0.0, 2.0])
    assert (float(low), float(high)) == pytest.approx((1 - 12.706, 1 + 12.706), abs=1e-3)


@pytest.mark.parametrize("tail", [0.01, 0.0141, 0.025, 0.05])
@pytest.mark.parametrize("num_cases", [2, 3, 4, 5, 12])
def test_the_limit_is_students_quantile_or_4_with_and_without_scipy(num_cases, tail):
    assert _limit(num_cases, tail) == max(4.0, stdtrit(num_cases - 1, 1 - tail))


def test_one_outlier_cannot_carry_an_end_to_infinity():
    """A third of the resamples miss the outlier and have next to no spread of their own.

    The mean is 0.2, its standard error 0.2; these resamples have a mean of 0 and, at the limit, a
    t* of -4.
    """
    values = [0.0, 1e-6, 0.0, 1e-6, 1.0]
    _, high = mean_interval(values)
    assert high == pytest.approx(0.2 + 4 * 0.2, abs=1e-4)
    assert mean_interval(values, bounds=(0, 0.9))[1] == 0.9


def test_the_interval_is_longer_on_the_side_of_the_tail():
    low, high = mean_interval([5, 6, 5.5, 5.2, 6.1, 5.8, 7, 5.4, 6.6, 25])
    mean = 7.76
    assert high - mean > 1.5 * (mean - low)


def test_a_higher_level_is_wider():
    values = [0.8, 0.9, 0.7, 0.85, 0.86, 0.75]
    ends = [mean_interval(values, level=level) for level in (0.8, 0.95, 0.99)]
    lows, highs = zip(*ends, strict=True)
    assert sorted(lows, reverse=True) == list(lows)
    assert sorted(highs) == list(highs)


@pytest.mark.parametrize(
    ("values", "point"),
    [
        pytest.param([0.7], 0.7, id="one case"),
        pytest.param([0.1, 0.1, 0.1], 0.1, id="all the same"),
        pytest.param([0.0, 0.0], 0.0, id="all zero"),
    ],
)
def test_without_a_spread_it_is_a_point(values, point):
    assert mean_interval(values) == (point, point)


def test_metrics_are_resampled_together_and_keep_their_shape():
    cases = np.array([[0.8, 5.0, 1.0], [0.9, 7.0, 1.0], [0.7, 30.0, 1.0], [0.85, 6.0, 1.0]])
    low, high = mean_interval(cases, bounds=(0, [1, np.inf, 1]))
    assert low.shape == high.shape == (3,)
    for index in range(3):
        alone = mean_interval(cases[:, index], bounds=(0, 1 if index != 1 else np.inf))
        assert (low[index], high[index]) == pytest.approx(tuple(map(float, alone)))
    assert high[0] <= 1
    assert (low[2], high[2]) == (1, 1)


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(0).beta(18, 3, 12)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values, seed=1) != mean_interval(values)


def test_the_unit_does_not_matter():
    values = np.array([0.81, 0.93, 0.72, 0.85, 0.66])
    expected = [100 * float(end) for end in mean_interval(values)]
    assert [float(end) for end in mean_interval(100 * values)] == pytest.approx(expected)
