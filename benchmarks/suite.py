"""Pairs of the same work, done by samssl and by what a user would have otherwise.

Both sides of a pair run in turns, A B A B, so that whatever else the machine does meanwhile falls
on both. After every turn their results are compared: a speed is worth nothing if the results are
not the same. The ratio is the time of the other side divided by ours, turn by turn: above 1 samssl
is the faster one. Reported are its median and its range; seconds of a busy machine mean little.
"""

import importlib.util
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Clock = Callable[[], float]


@dataclass(frozen=True)
class Pair:
    """The same work twice."""

    title: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    difference: Callable[[Any, Any], float]
    """How far two results, ours and theirs, are apart."""
    tolerance: float
    """Up to which difference they count as equal."""


@dataclass(frozen=True)
class Entry:
    """One subject of the suite."""

    name: str
    summary: str
    """What is done, and what it is compared with."""
    pairs: Callable[[], Iterable[Pair]]
    """Makes the inputs; each pair is measured before the next one is asked for."""
    needs: Mapping[str, str]
    """The peer's modules, with the package on PyPI that has each."""
    repeats: int


@dataclass(frozen=True)
class Measured:
    """What came out of a pair."""

    title: str
    ours_s: Sequence[float]
    theirs_s: Sequence[float]
    difference: float
    """The largest of all turns."""
    tolerance: float

    @property
    def ratios(self) -> list[float]:
        """Time of the other side divided by ours, of every turn."""
        return [them / us for us, them in zip(self.ours_s, self.theirs_s, strict=True)]

    @property
    def is_equal(self) -> bool:
        """Whether the results were the same in every turn; a NaN is never the same."""
        return self.difference <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        ratios = self.ratios
        return {
            "title": self.title,
            "ratio": median(ratios),
            "ratio_range": [min(ratios), max(ratios)],
            "ours_median_s": median(self.ours_s),
            "theirs_median_s": median(self.theirs_s),
            "repeats": len(ratios),
            "difference": self.difference if self.difference < math.inf else None,
            "tolerance": self.tolerance,
            "is_equal": self.is_equal,
        }


def missing(entry: Entry) -> list[str]:
    """The packages to install before an entry can be measured."""
    return [
        package
        for module, package in entry.needs.items()
        if importlib.util.find_spec(module) is None
    ]


def measure(pair: Pair, repeats: int, *, clock: Clock = time.perf_counter) -> Measured:
    """Run both sides once for nothing, then in turns.

    Raises:
        ValueError: when `repeats` is less than 1.
    """
    if repeats < 1:
        raise ValueError(f"{repeats} repeats: give 1 or more")
    ours_s: list[float] = []
    theirs_s: list[float] = []
    differences = [pair.difference(pair.ours(), pair.theirs())]
    for _ in range(repeats):
        ours, us = _timed(pair.ours, clock)
        theirs, them = _timed(pair.theirs, clock)
        ours_s.append(us)
        theirs_s.append(them)
        differences.append(pair.difference(ours, theirs))
    return Measured(pair.title, ours_s, theirs_s, _worst(differences), pair.tolerance)


def _timed(work: Callable[[], Any], clock: Clock) -> tuple[Any, float]:
    begin = clock()
    result = work()
    return result, clock() - begin


def _worst(differences: Sequence[float]) -> float:
    """The largest; infinite where one is no number, which `max` may pass over."""
    return max(math.inf if math.isnan(one) else one for one in differences)
