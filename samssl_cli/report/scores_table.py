"""Scores as a table for people (rich), and as CSV and JSON for programs.

`scores.csv` has one line per row, case and class:
    row,case,class,missed,spurious,empty,prediction_ml,reference_ml,<metric>...
`scores.json` has the same under "cases", the means with their intervals under "summary", and what
was diagnosed under "diagnosis". docs/metrics.md describes both.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from samssl_cli.artifacts.forms import understanding
from samssl_cli.artifacts.scores import Scores
from samssl_cli.metrics.columns import Column, column
from samssl_cli.metrics.score import ClassScore, Summary, summarise
from samssl_cli.report.diagnosis import diagnosis_as_json
from samssl_cli.volumes.whole_file import write_whole

JSON_SCHEMA = "samssl-scores/1"

_CSV_BEGINS = (
    *("row", "case", "class", "missed", "spurious", "empty"),
    *("prediction_ml", "reference_ml"),
)
_ON_A_TERMINAL = ("dice", "hd95_mm", "asd_mm", "nsd")


def score_table(scores: Scores, title: str) -> Table:
    """The means over the cases, one line per row and class; Dice with its 95 % interval."""
    table = _empty_table(title, ("prediction", "class"), scores)
    for row in scores.about["rows"]:
        for name, cells in _lines(scores, row):
            table.add_row(escape(row), escape(name), *cells)
    return table


def comparison_table(scores: Mapping[str, Scores], title: str) -> Table:
    """The headline means of several scores, one line per model and class."""
    table = _empty_table(title, ("model", "class"), next(iter(scores.values())))
    for model, scored in scores.items():
        for name, cells in _lines(scored, scored.about["headline"]):
            table.add_row(escape(model), escape(name), *cells)
    return table


def _empty_table(title: str, names: tuple[str, str], scores: Scores) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for heading in names:
        table.add_column(heading, overflow="fold")  # where it is narrow, names give way
    for heading in (*(one.title for one in _shown(scores)), "missed", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _shown(scores: Scores) -> list[Column]:
    """The few columns that fit a terminal; the files have all of them."""
    found = (column(name) for name in scores.about["metrics"])
    return [one for one in found if one.metric in _ON_A_TERMINAL]


def _lines(scores: Scores, row: str) -> Iterator[tuple[str, list[str]]]:
    """Class and cells of each line of one row; with several classes, their mean last."""
    summary, shown = summary_of(scores, row), _shown(scores)
    for one, name in zip(summary.classes, scores.about["class_names"][1:], strict=True):
        cells = [column.shown(one.mean[column.name]) for column in shown]
        low, high = (shown[0].shown(end[shown[0].name]) for end in (one.low, one.high))
        cells[0] += escape(f" [{low}, {high}]")
        yield name, [*cells, str(one.num_missed), str(one.num_cases)]
    if len(summary.classes) > 1:
        missed = sum(one.num_missed for one in summary.classes)
        means = [column.shown(summary.mean[column.name]) for column in shown]
        yield "mean", [*means, str(missed), str(len(scores.names))]


def write_csv(scores: Scores, path: Path) -> None:
    """Write every value, one line per row, case and class.

    Raises:
        DamagedArtifactError: when the scores are none that samssl wrote.
    """
    with understanding(scores.path):
        text = _as_csv(scores)
    write_whole(path, text.encode())


def _as_csv(scores: Scores) -> str:
    metrics = list(scores.about["metrics"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_CSV_BEGINS, *metrics])
    for row, case, name, score in _records(scores):
        flags = [int(score.missed), int(score.spurious), int(score.is_empty)]
        volumes = [score.prediction_ml, score.reference_ml]
        writer.writerow([row, case, name, *flags, *volumes, *(score.values[m] for m in metrics)])
    return text.getvalue()


def write_json(scores: Scores, path: Path) -> None:
    """Write everything, with the summary and where it came from.

    Raises:
        DamagedArtifactError: when the scores are none that samssl wrote.
    """
    with understanding(scores.path):
        text = json.dumps(as_json(scores), indent=2, allow_nan=False) + "\n"
    write_whole(path, text.encode())


def as_json(scores: Scores) -> dict[str, Any]:
    """Scores, summary and provenance as JSON values."""
    names = scores.about["class_names"][1:]
    summaries = {row: summary_of(scores, row) for row in scores.about["rows"]}
    return {
        "schema": JSON_SCHEMA,
        "about": dict(scores.about),
        "summary": {
            row: {
                "mean": summary.mean,
                "classes": {
                    name: {key: value for key, value in vars(one).items() if key != "class_index"}
                    for name, one in zip(names, summary.classes, strict=True)
                },
            }
            for row, summary in summaries.items()
        },
        "cases": [
            {"row": row, "case": case, "class": name, **vars(score)}
            for row, case, name, score in _records(scores)
        ],
        "diagnosis": diagnosis_as_json(scores),
    }


def _records(scores: Scores) -> Iterator[tuple[str, str, str, ClassScore]]:
    names = scores.about["class_names"]
    read = {case: scores.rows(case) for case in scores.names}
    for row in scores.about["rows"]:
        for case, rows in read.items():
            for record in rows[row]:
                yield row, case, names[record["class_index"]], ClassScore(**record)


def summary_of(scores: Scores, row: str) -> Summary:
    """Sum up one row over the cases."""
    cases = [scores.rows(case)[row] for case in scores.names]
    return summarise([[ClassScore(**record) for record in records] for records in cases])
