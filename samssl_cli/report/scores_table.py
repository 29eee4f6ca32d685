"""Scores as a table for people, from what `scores.json` holds: it takes no numpy to show it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from samssl_cli.metrics.columns import Column, column
from samssl_cli.report.plain_table import PlainTable, Row

Record = Mapping[str, Any]
"""The object in `scores.json`, see `score_documents.as_json`."""

_ON_A_TERMINAL = ("dice", "hd95_mm", "asd_mm", "nsd")


def score_table(record: Record, title: str) -> PlainTable:
    """The means over the cases, one line per row and class; Dice with its 95 % interval."""
    shown = _shown(record)
    lines = [
        (row, *line)
        for row in record["about"]["rows"]
        for line in _lines(record["summary"][row], shown)
    ]
    return _table(title, ("prediction", "class"), shown, lines)


def comparison_table(records: Mapping[str, Record], title: str) -> PlainTable:
    """The headline means of several scores, one line per model and class."""
    shown = _shown(next(iter(records.values())))
    lines = [
        (model, *line)
        for model, record in records.items()
        for line in _lines(record["summary"][record["about"]["headline"]], shown)
    ]
    return _table(title, ("model", "class"), shown, lines)


def _table(
    title: str, names: tuple[str, str], shown: Sequence[Column], lines: Sequence[Row]
) -> PlainTable:
    return PlainTable(title, names, (*(one.title for one in shown), "missed", "n"), [lines])


def _shown(record: Record) -> list[Column]:
    """The few columns that fit a terminal; the files have all of them."""
    found = (column(name) for name in record["about"]["metrics"])
    return [one for one in found if one.metric in _ON_A_TERMINAL]


def _lines(summary: Mapping[str, Any], shown: Sequence[Column]) -> Iterator[Row]:
    """Class and cells of each line of one row; with several classes, their mean last."""
    classes: Mapping[str, Any] = summary["classes"]
    for name, one in classes.items():
        cells = [column.shown(one["mean"][column.name]) for column in shown]
        low, high = (shown[0].shown(one[end][shown[0].name]) for end in ("low", "high"))
        cells[0] += f" [{low}, {high}]"
        yield name, *cells, str(one["num_missed"]), str(one["num_cases"])
    if len(classes) > 1:
        missed = sum(one["num_missed"] for one in classes.values())
        num_cases = max(one["num_cases"] for one in classes.values())
        means = [column.shown(summary["mean"][column.name]) for column in shown]
        yield "mean", *means, str(missed), str(num_cases)
