"""Scores as CSV and JSON, for programs.

`scores.csv` has one line per row, case and class:
    row,case,class,missed,spurious,empty,prediction_ml,reference_ml,<metric>...
`scores.json` has the same under "cases", the means with their intervals under "summary", and what
was diagnosed under "diagnosis". docs/metrics.md describes both.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from samssl_cli.artifacts.forms import understanding
from samssl_cli.artifacts.scores import Scores
from samssl_cli.metrics.score import ClassScore, Summary, summarise
from samssl_cli.report.diagnosis import diagnosis_as_json

JSON_SCHEMA = "samssl-scores/1"

_CSV_BEGINS = (
    *("row", "case", "class", "missed", "spurious", "empty"),
    *("prediction_ml", "reference_ml"),
)


def csv_text(scores: Scores) -> str:
    """Every value, one line per row, case and class.

    Raises:
        DamagedArtifactError: when the scores are none that samssl wrote.
    """
    with understanding(scores.path):
        return _as_csv(scores)


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


def json_text(scores: Scores) -> str:
    """Everything, with the summary and where it came from.

    Raises:
        DamagedArtifactError: when the scores are none that samssl wrote.
    """
    with understanding(scores.path):
        return json.dumps(as_json(scores), indent=2, allow_nan=False) + "\n"


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
