"""Scores as a table for people, from what `scores.json` holds: it takes no numpy to show it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from samssl_cli.metrics.columns import Column, column
from samssl_cli.report.plain_table import PlainTable, Row

Record = Mapping[str, Any]
"""The object in `scores.json`, see `score_documents.as_json`."""

_ON_A_TERMINAL = ("dice", "hd95_mm", "asd_mm", "nsd")


def score_table(record: Record, title: str) -> PlainTable:
    """The means over the cases, one line per row and class; Dice with its 95 % interval."""
    lines = [(row, *line) for row in record["about"]["rows"] for line in _lines(record, row)]
    return _table(title, ("prediction", "class"), record, lines)


def comparison_table(records: Mapping[str, Record], title: str) -> PlainTable:
    """The headline means of several scores, one line per model and class."""
    lines = [
        (model, *line)
        for model, record in records.items()
        for line in _lines(record, record["about"]["headline"])
    ]
    return _table(title, ("model", "class"), next(iter(records.values())), lines)


def _table(title: str, names: tuple[str, str], record: Record, lines: Iterable[Row]) -> PlainTable:
    numbers = (*(one.title for one in _shown(record)), "missed", "n")
    return PlainTable(title, names, numbers, [list(lines)])


def _shown(record: Record) -> list[Column]:
    """The few columns that fit a terminal; the files have all of them."""
    found = (column(name) for name in record["about"]["metrics"])
    return [one for one in found if one.metric in _ON_A_TERMINAL]


def _lines(record: Record, row: str) -> Iterator[Row]:
    """Class and cells of each line of one row; with several classes, their mean last."""
    summary, shown = record["summary"][row], _shown(record)
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
