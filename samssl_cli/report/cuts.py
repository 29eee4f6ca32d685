"""A scored row cut down to what one line of a table or plot shows: one class, or their mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.report.contents import Contents, ScoredRow

Values = NDArray[np.float64]

ALL_CLASSES = "mean over classes"


@dataclass(frozen=True)
class Cut:
    """One row for one class, or for the mean over the classes."""

    name: str
    """Of the class, or `ALL_CLASSES`."""
    values: Values
    """(cases, metrics), in the units of the artifact."""
    missed: NDArray[np.int64]
    """(cases,): how many classes of the cut were missed."""
    mean: Values
    """(metrics,), over the cases; so are the following."""
    std: Values
    median: Values
    low: Values
    """Ends of the 95 % interval of the mean, NaN where it was not computed."""
    high: Values


def cuts(contents: Contents, row: ScoredRow) -> tuple[Cut, ...]:
    """The mean over the classes, where there are several, and then each class."""
    classes = tuple(_of_class(row, index, name) for index, name in enumerate(contents.classes))
    return (_overall(row), *classes) if len(classes) > 1 else classes


def cut_names(contents: Contents) -> tuple[str, ...]:
    """The names of the cuts of any row, in their order."""
    return (ALL_CLASSES, *contents.classes) if len(contents.classes) > 1 else contents.classes


def _of_class(row: ScoredRow, index: int, name: str) -> Cut:
    return Cut(
        name,
        row.values[:, index],
        row.missed[:, index].astype(np.int64),
        row.mean[index],
        row.std[index],
        row.median[index],
        row.low[index],
        row.high[index],
    )


def _overall(row: ScoredRow) -> Cut:
    values = row.values.mean(axis=1)  # (cases, metrics)
    unknown = np.full(values.shape[1], np.nan)
    return Cut(
        ALL_CLASSES,
        values,
        row.missed.sum(axis=1).astype(np.int64),
        row.mean.mean(axis=0),
        _std(values),
        np.median(values, axis=0) if len(values) else unknown,
        unknown if row.overall_low is None else row.overall_low,
        unknown if row.overall_high is None else row.overall_high,
    )


def _std(values: Values) -> Values:
    """Of the sample (n - 1), (cases, metrics) to (metrics,); 0 for a single case, as elsewhere."""
    if len(values) < 2:
        return np.zeros(values.shape[1])
    result: Values = values.std(axis=0, ddof=1)
    return result
