"""Scores as a table for people (rich), and as CSV and JSON for programs.

`scores.csv` has one line per row, case and class:
    row,case,class,missed,spurious,empty,<metric>...
`scores.json` has the same under "cases", and means and standard deviations under "summary".
"""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from samssl_cli.artifacts.scores import Scores
from samssl_cli.metrics.score import ClassScore, Summary, summarise

JSON_SCHEMA = "samssl-scores/1"


def score_table(scores: Scores, title: str) -> Table:
    """The means over the cases, one line per row and class."""
    metrics = list(scores.about["metrics"])
    table = Table(title=title, title_justify="left")
    for heading in ("prediction", "class"):
        table.add_column(heading, no_wrap=True)
    for heading in (*metrics, "missed", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in scores.about["rows"]:
        summary = _summary(scores, row)
        for one, name in zip(summary.classes, scores.about["class_names"][1:], strict=True):
            values = [_mean(m, one.mean[m]) for m in metrics]
            values[0] += f" ± {_mean(metrics[0], one.std[metrics[0]])}"
            table.add_row(row, name, *values, str(one.num_missed), str(one.num_cases))
        if len(summary.classes) > 1:
            means = [_mean(m, summary.mean[m]) for m in metrics]
            missed = sum(one.num_missed for one in summary.classes)
            table.add_row(row, "mean", *means, str(missed), str(len(scores.names)))
    return table


def comparison_table(scores: Mapping[str, Scores], title: str) -> Table:
    """The headline means of several scores, one line per model and class."""
    metrics = list(next(iter(scores.values())).about["metrics"])
    table = Table(title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    table.add_column("class", no_wrap=True)
    for heading in (*metrics, "missed", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model, scored in scores.items():
        summary = _summary(scored, scored.about["headline"])
        for one, name in zip(summary.classes, scored.about["class_names"][1:], strict=True):
            values = [_mean(m, one.mean[m]) for m in metrics]
            table.add_row(model, name, *values, str(one.num_missed), str(one.num_cases))
    return table


def write_csv(scores: Scores, path: Path) -> None:
    """Write every value, one line per row, case and class."""
    metrics = list(scores.about["metrics"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "case", "class", "missed", "spurious", "empty", *metrics])
    for row, case, name, score in _records(scores):
        flags = [int(score.missed), int(score.spurious), int(score.is_empty)]
        writer.writerow([row, case, name, *flags, *(score.values[m] for m in metrics)])
    _write(path, text.getvalue())


def write_json(scores: Scores, path: Path) -> None:
    """Write everything, with the summary and where it came from."""
    _write(path, json.dumps(as_json(scores), indent=2, allow_nan=False) + "\n")


def as_json(scores: Scores) -> dict[str, Any]:
    """Scores, summary and provenance as JSON values."""
    names = scores.about["class_names"][1:]
    summaries = {row: _summary(scores, row) for row in scores.about["rows"]}
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
    }


def _records(scores: Scores) -> Iterator[tuple[str, str, str, ClassScore]]:
    names = scores.about["class_names"]
    read = {case: scores.rows(case) for case in scores.names}
    for row in scores.about["rows"]:
        for case, rows in read.items():
            for record in rows[row]:
                yield row, case, names[record["class_index"]], ClassScore(**record)


def _summary(scores: Scores, row: str) -> Summary:
    cases = [scores.rows(case)[row] for case in scores.names]
    return summarise([[ClassScore(**record) for record in records] for records in cases])


def _mean(metric: str, value: float) -> str:
    """Overlaps in percent, as the literature prints them; distances in mm."""
    return f"{value:.2f}" if metric.endswith("_mm") else f"{100 * value:.2f}"


def _write(path: Path, text: str) -> None:
    """Write a file whole, and leave it alone when it says this already."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
