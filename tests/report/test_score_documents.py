import csv
import json

import pytest

from samssl_cli.errors import DamagedArtifactError
from samssl_cli.report.score_documents import as_json, csv_text, json_text


class FakeScores:
    """Two cases of one class: one found exactly, one missed."""

    def __init__(self):
        self.names, self.path = ("a", "b"), "scores.zarr"
        classes = ["background", "organ"]
        self.about = {
            "rows": ["raw"],
            "headline": "raw",
            "metrics": ["dice", "hd95_mm"],
            "class_names": classes,
        }

    def rows(self, name):
        is_missed = name == "b"
        values = {"dice": 0.0, "hd95_mm": 50.0} if is_missed else {"dice": 1.0, "hd95_mm": 0.0}
        flags = {"missed": is_missed, "spurious": False, "is_empty": False}
        volumes = {"prediction_ml": 0.0 if is_missed else 2.5, "reference_ml": 2.5}
        return {"raw": [{"class_index": 1, "values": values, **flags, **volumes}]}

    def diagnosis(self, name):
        return {}


def test_a_miss_counts_in_every_mean():
    organ = as_json(FakeScores())["summary"]["raw"]["classes"]["organ"]
    assert organ["mean"] == {"dice": 0.5, "hd95_mm": 25.0}  # (1 + 0) / 2 and (0 + 50) / 2
    assert organ["std"]["dice"] == pytest.approx(0.5**0.5)  # sample: sqrt(2 * 0.5**2 / 1)
    assert organ["median"] == {"dice": 0.5, "hd95_mm": 25.0}
    assert (organ["low"]["dice"], organ["high"]["dice"]) == (0, 1)  # two cases: anything goes
    assert (organ["num_cases"], organ["num_missed"]) == (2, 1)


def test_the_csv_has_a_line_per_row_case_and_class():
    lines = list(csv.DictReader(csv_text(FakeScores()).splitlines()))
    assert lines[1] == {
        "row": "raw",
        "case": "b",
        "class": "organ",
        "missed": "1",
        "spurious": "0",
        "empty": "0",
        "prediction_ml": "0.0",
        "reference_ml": "2.5",
        "dice": "0.0",
        "hd95_mm": "50.0",
    }


def test_the_json_holds_everything():
    assert json.loads(json_text(FakeScores())) == as_json(FakeScores())


def test_scores_that_nobody_wrote_are_damaged():
    scores = FakeScores()
    scores.about["rows"] = ["cooked"]
    for text in (csv_text, json_text):
        with pytest.raises(DamagedArtifactError, match=r"scores.zarr: does not hold .*cooked"):
            text(scores)
