"""The numbers of a report as words and table cells, ready to print."""

import math
from dataclasses import dataclass
from typing import Any

from samssl_cli.metrics.columns import Column
from samssl_cli.report.contents import Contents, RowKind, ScoredRow
from samssl_cli.report.cuts import Cut, cuts

ABSENT = "\N{EN DASH}"
KIND_WORDS: dict[RowKind, str] = {
    "prediction": "prediction",
    "control": "control",
    "sanity": "sanity check",
    "upper-bound": "upper bound",
}


@dataclass(frozen=True)
class Interval:
    """A 95 % interval in words, and where to draw it."""

    low: str
    high: str
    positions: tuple[float, float, float]
    """Low, mean and high on the scale that all lines share, 0-100 %."""


@dataclass(frozen=True)
class Line:
    """One line of the summary table."""

    name: str
    """Of the class, or `mean over classes`."""
    means: tuple[str, ...]
    """One for each metric."""
    std: str
    """Of the first metric, over the cases; so are the following."""
    median: str
    interval: Interval | None
    missed: int


@dataclass(frozen=True)
class Group:
    """A row of the summary with the lines of its classes."""

    name: str
    kind: RowKind
    words: str
    """The kind for people: `sanity check`."""
    explanation: str
    is_headline: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Result:
    """The headline row in a sentence's parts."""

    figures: tuple[tuple[str, str, str], ...]
    """Title, mean with its unit, standard deviation of each metric: `HD95`, `3.41 mm`, `1.20`."""
    interval: Interval | None
    num_cases: str
    num_classes: str
    missed: str


def groups(contents: Contents) -> tuple[Group, ...]:
    """The summary table: rows as they come, each with the mean over its classes and the classes."""
    scale = _scale(contents)
    return tuple(
        Group(
            row.name,
            row.kind,
            KIND_WORDS[row.kind],
            row.explanation,
            row.name == contents.headline,
            tuple(_line(contents.columns, cut, scale) for cut in cuts(contents, row)),
        )
        for row in contents.rows
    )


def result(contents: Contents) -> Result:
    """What the headline row says, over all classes."""
    row = headline_row(contents)
    cut = cuts(contents, row)[0]
    columns = contents.columns
    return Result(
        tuple(
            (_title(column), measure(column, mean), shown(column, std))
            for column, mean, std in zip(columns, cut.mean, cut.std, strict=True)
        ),
        _line(columns, cut, _scale(contents)).interval,
        counted(len(contents.cases), "case"),
        counted(len(contents.classes), "class"),
        _missed_in_words(contents, row),
    )


def headline_row(contents: Contents) -> ScoredRow:
    """The row to look at first."""
    return next(row for row in contents.rows if row.name == contents.headline)


def case_series(contents: Contents) -> list[dict[str, Any]]:
    """Every case's numbers for each row and cut: what the sortable table can show.

    `values` is (cases, metrics) as shown, None where not finite; `missed` counts classes per case.
    """
    scales = [column.scale for column in contents.columns]
    return [
        {
            "values": [
                [_finite(scale * value) for scale, value in zip(scales, case, strict=True)]
                for case in cut.values.tolist()
            ],
            "missed": cut.missed.tolist(),
        }
        for row in contents.rows
        for cut in cuts(contents, row)
    ]


def first_cases(contents: Contents) -> list[tuple[str, tuple[str, ...], bool]]:
    """Case, values and whether it has a miss, of the headline row: the table before any script."""
    cut = cuts(contents, headline_row(contents))[0]
    return [
        (
            case,
            tuple(shown(column, x) for column, x in zip(contents.columns, values, strict=True)),
            bool(missed),
        )
        for case, values, missed in zip(contents.cases, cut.values, cut.missed, strict=True)
    ]


def scale_ends(contents: Contents) -> tuple[str, str]:
    """Where the scale begins and ends on which the intervals are drawn."""
    low, high = _scale(contents)
    return shown(contents.columns[0], low), shown(contents.columns[0], high)


def shown(column: Column, value: float) -> str:
    """A value without its unit, or a dash where there is none."""
    return column.shown(value) if math.isfinite(value) else ABSENT


def measure(column: Column, value: float) -> str:
    """A value with its unit."""
    return f"{shown(column, value)}\N{NO-BREAK SPACE}{column.unit}"


def counted(number: int, noun: str) -> str:
    """`1 case`, `12 cases`, `3 classes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _line(columns: tuple[Column, ...], cut: Cut, scale: tuple[float, float]) -> Line:
    first = columns[0]
    return Line(
        cut.name,
        tuple(shown(column, mean) for column, mean in zip(columns, cut.mean, strict=True)),
        shown(first, cut.std[0]),
        shown(first, cut.median[0]),
        _interval(first, cut, scale),
        int(cut.missed.sum()),
    )


def _interval(column: Column, cut: Cut, scale: tuple[float, float]) -> Interval | None:
    ends = float(cut.low[0]), float(cut.mean[0]), float(cut.high[0])
    if not all(map(math.isfinite, ends)):
        return None
    low, high = scale
    first, middle, last = (round(100 * (end - low) / (high - low), 2) for end in ends)
    return Interval(column.shown(ends[0]), column.shown(ends[2]), (first, middle, last))


def _scale(contents: Contents) -> tuple[float, float]:
    """From the least to the largest end of an interval of the first metric."""
    found = [cut for row in contents.rows for cut in cuts(contents, row)]
    ends = [float(end) for cut in found for end in (cut.low[0], cut.mean[0], cut.high[0])]
    finite = [end for end in ends if math.isfinite(end)] or [0.0]
    low, high = min(finite), max(finite)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _missed_in_words(contents: Contents, row: ScoredRow) -> str:
    missed = int(row.missed.sum())
    if not missed:
        return "none missed"
    if len(contents.classes) == 1:
        return f"{missed} of {counted(len(contents.cases), 'case')} missed"
    touched = int(row.missed.any(axis=1).sum())
    return f"{counted(missed, 'structure')} missed in {counted(touched, 'case')}"


def _title(column: Column) -> str:
    """Without the unit, which stands beside the value."""
    return column.title.removesuffix(f" ({column.unit})")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
