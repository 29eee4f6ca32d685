"""How often 95 % intervals of a mean hold the true mean: the table in docs/statistics.md.

    python benchmarks/interval_coverage.py [--repeats 10000] [--seed 0]

For every kind of data and number of cases, `repeats` data sets are drawn and each interval is
computed on each. Printed is the percentage that holds the mean of the distribution, of ours also
how often that mean lies below the interval and above it, and its width beside Student's (median).
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from samssl_cli.metrics.intervals import mean_interval

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Values]
Interval = Callable[[Values], tuple[Values, Values]]

NUM_CASES = (5, 8, 12, 20, 50)
BATCH = 250
"""Data sets at a time: bootstrapping is memory."""

DICE_MEAN = 18 / 21
MISS_RATE = 0.05


def dice(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Overlaps around 0.86, skewed to the left."""
    return rng.beta(18, 3, shape)


def dice_with_misses(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """The same, with a score of 0 for one case in twenty."""
    return np.where(rng.random(shape) < MISS_RATE, 0.0, dice(rng, shape))


def dice_difference(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Two models on the same cases, each with its own errors on top of what the case is worth."""
    case = rng.normal(0, 0.05, shape)
    ours, theirs = (np.clip(dice(rng, shape) / 2 + 0.4 + case, 0, 1) for _ in range(2))
    return ours - theirs


def hd95(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Distances around 10 mm, skewed to the right: lognormal with a sigma of 0.8."""
    return np.exp(rng.normal(2, 0.8, shape))


DATA: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.normal(0, 1, shape), 0.0),
    "Dice": (dice, DICE_MEAN),
    "Dice, difference": (dice_difference, 0.0),
    "HD95": (hd95, float(np.exp(2 + 0.8**2 / 2))),
    "Dice, 5 % misses": (dice_with_misses, (1 - MISS_RATE) * DICE_MEAN),
}


def student(values: Values) -> tuple[Values, Values]:
    """The textbook's t interval."""
    mean, num_cases = values.mean(axis=0), len(values)
    reach = stats.t.ppf(0.975, num_cases - 1) * values.std(axis=0, ddof=1) / np.sqrt(num_cases)
    return mean - reach, mean + reach


def scipy_bootstrap(values: Values, *, method: str, level: float = 0.95) -> tuple[Values, Values]:
    """The intervals that scipy has."""
    found = stats.bootstrap(
        (values,),
        np.mean,
        axis=0,
        method=method,
        confidence_level=level,
        n_resamples=1999,
        batch=200,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return found.low, found.high


def expanded_percentile(values: Values) -> tuple[Values, Values]:
    """The percentile interval, at the level that makes it as wide as Student's for normal data.

    Source: Hesterberg, The American Statistician 2015, sec. 5.1.
    """
    num_cases = len(values)
    reach = np.sqrt(num_cases / (num_cases - 1)) * stats.t.ppf(0.975, num_cases - 1)
    return scipy_bootstrap(values, method="percentile", level=1 - 2 * float(stats.norm.cdf(-reach)))


INTERVALS: dict[str, Interval] = {
    "Student's t": student,
    "percentile": partial(scipy_bootstrap, method="percentile"),
    "expanded percentile": expanded_percentile,
    "BCa": partial(scipy_bootstrap, method="BCa"),
    "studentised: ours": mean_interval,
}


def ends(
    interval: Interval, draw: Draw, num_cases: int, *, repeats: int, seed: int
) -> tuple[Values, Values]:
    """Both ends (repeats,) of the interval on as many data sets: the same ones for any interval."""
    rng = np.random.default_rng(seed)
    batches = [interval(draw(rng, (num_cases, BATCH))) for _ in range(repeats // BATCH)]
    low, high = np.hstack(batches)
    return low, high


def coverage(low: Values, high: Values, mean: float) -> float:
    """Percent of the intervals that hold `mean`."""
    return float(100 * ((low <= mean) & (mean <= high)).mean())


def line(name: str, draw: Draw, mean: float, num_cases: int, *, repeats: int, seed: int) -> str:
    """One line of the table."""
    found = [
        ends(interval, draw, num_cases, repeats=repeats, seed=seed)
        for interval in INTERVALS.values()
    ]
    rates = [f"{coverage(low, high, mean):.1f}" for low, high in found]
    (low, high), (student_low, student_high) = found[-1], found[0]
    sides = f"{100 * (mean < low).mean():.1f} / {100 * (high < mean).mean():.1f}"
    width = np.median((high - low) / (student_high - student_low))
    return f"| {' | '.join([name, str(num_cases), *rates, sides, f'{width:.2f}'])} |\n"


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=10_000, help="a multiple of 250")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.monotonic()
    headings = ["data", "n", *INTERVALS, "mean below / above", "width"]
    sys.stdout.write(f"| {' | '.join(headings)} |\n|---|{'--:|' * (len(headings) - 1)}\n")
    for name, (draw, mean) in DATA.items():
        for num_cases in NUM_CASES:
            sys.stdout.write(line(name, draw, mean, num_cases, **vars(options)))
            sys.stdout.flush()
    sys.stderr.write(f"{time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
