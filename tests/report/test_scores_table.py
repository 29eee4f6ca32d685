import csv
import json
from pathlib import Path

import pytest
from rich.console import Console

from samssl_cli.report.scores_table import (
    as_json,
    comparison_table,
    score_table,
    write_csv,
    write_json,
)


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


def test_the_table_prints_overlaps_in_percent_with_their_interval(capsys):
    Console(width=100).print(score_table(FakeScores(), title="student"))
    shown = capsys.readouterr().out
    assert "student" in shown
    assert all(text in shown for text in ("50.00 [0.00, 100.00]", "25.00", "HD95 (mm)"))


def test_models_are_compared_on_the_headline_row(capsys):
    scores = {"specialist": FakeScores(), "student": FakeScores()}
    Console(width=100).print(comparison_table(scores, title="both"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if "organ" in line] == ["specialist", "student"]
    assert sum("50.00" in line for line in lines) == 2


def test_the_files(tmp_path: Path):
    write_csv(FakeScores(), tmp_path / "s.csv")
    write_json(FakeScores(), tmp_path / "s.json")
    lines = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
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
    assert json.loads((tmp_path / "s.json").read_text()) == as_json(FakeScores())
    before = (tmp_path / "s.csv").stat().st_mtime_ns
    write_csv(FakeScores(), tmp_path / "s.csv")  # as every evaluate does: Make must not notice
    assert (tmp_path / "s.csv").stat().st_mtime_ns == before


def test_names_with_brackets_are_shown_as_they_are(capsys):
    scores = FakeScores()
    scores.about["class_names"] = ["background", "tumor [/b] [enhancing]"]
    Console(width=120).print(score_table(scores, title="a [/b]"))
    Console(width=120).print(comparison_table({"m [/b]": scores}, title="[x]"))
    shown = capsys.readouterr().out
    assert shown.count("tumor [/b] [enhancing]") == 2
    assert all(text in shown for text in ("a [/b]", "m [/b]", "[x]"))
