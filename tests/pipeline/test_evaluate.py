import csv
import json

import numpy as np
import pytest

from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.artifacts.scores import Scores
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.errors import DataError, MissingArtifactError, UsageError
from samssl_cli.metrics import METRICS

ROWS = ["raw", "largest-component", "blur+largest-component"]


def test_the_array_the_csv_and_the_json_say_the_same(loop):
    scores = Scores(loop.path("scores"))
    values = SealedStore(scores.path).member("values")
    axes = values.attributes["axes"]
    assert axes == {
        "rows": ROWS,
        "cases": ["phantom_004", "phantom_005"],
        "classes": ["organ", "vessel"],
        "metrics": list(METRICS),
    }
    lines = list(csv.DictReader((loop.out / "scores.csv").read_text().splitlines()))
    document = json.loads((loop.out / "scores.json").read_text())
    assert len(lines) == len(document["cases"]) == 3 * 2 * 2
    for line, record in zip(lines, document["cases"], strict=True):
        place = tuple(
            axes[axis].index(line[key])
            for axis, key in (("rows", "row"), ("cases", "case"), ("classes", "class"))
        )
        expected = values.arrays["value"][place]
        assert [float(line[metric]) for metric in METRICS] == list(expected)
        assert [record["values"][metric] for metric in METRICS] == list(expected)
    means = document["summary"]["raw"]["classes"]["organ"]["mean"]
    organ = values.arrays["value"][0, :, 0]
    assert [means[metric] for metric in METRICS] == pytest.approx(list(organ.mean(axis=0)))


def test_a_perfect_prediction_scores_100(loop, tmp_path, monkeypatch):
    from samssl_cli.volumes import geometry

    references = HeldOutLabels(loop.path("cases"))
    names = iter(("phantom_004", "phantom_005"))

    def perfect(_probability, _geometry):
        label = references.read(next(names))
        return np.stack([label == value for value in range(3)]).astype(np.float32)

    monkeypatch.setattr(geometry, "to_native_probability", perfect)
    copy = loop.linked(tmp_path, "cases", "student")
    copy.evaluate()
    raw = json.loads((tmp_path / "scores.json").read_text())["summary"]["raw"]
    assert raw["mean"]["dice"] == 1.0
    assert raw["classes"]["organ"]["num_missed"] == 0


def test_an_empty_prediction_is_counted_as_missed(loop, tmp_path, monkeypatch):
    from samssl_cli.volumes import geometry

    def empty(_probability, one):
        return np.stack([np.full(one.native.shape, value, np.float32) for value in (1, 0, 0)])

    monkeypatch.setattr(geometry, "to_native_probability", empty)
    copy = loop.linked(tmp_path, "cases", "student")
    copy.evaluate()
    document = json.loads((tmp_path / "scores.json").read_text())
    for row in ROWS:
        organ = document["summary"][row]["classes"]["organ"]
        assert (organ["num_cases"], organ["num_missed"], organ["mean"]["dice"]) == (2, 2, 0.0)
        assert organ["mean"]["hd95_mm"] > 20  # a penalty, never a gap in the mean


def test_pseudo_labels_are_scored_on_the_unlabeled_cases_with_a_reference(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "pseudo")
    scores = Scores(copy.evaluate("pseudo"))
    assert scores.names == ("phantom_001",)  # the one whose label --labeled 1 did not choose
    assert scores.about["scored"] == "pseudo-labels"


@pytest.mark.parametrize(
    ("on", "names"),
    [
        ("unlabeled", ("phantom_001",)),
        ("held-out", ("phantom_001", "phantom_004", "phantom_005")),
    ],
)
def test_a_checkpoint_is_scored_where_it_is_asked_to(loop, tmp_path, on, names):
    copy = loop.linked(tmp_path, "cases", "student", overrides=(f"evaluate.cases={on}",))
    assert Scores(copy.evaluate()).names == names


def test_only_the_named_classes_are_reduced_to_one_object(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "student")
    copy.evaluate(largest=("organ",))
    with pytest.raises(UsageError, match="heart: the classes are organ, vessel"):
        copy.evaluate(largest=("heart",))


def test_tables_that_were_deleted_come_back(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "student")
    copy.evaluate(to="a.b")
    assert {"a.b.csv", "a.b.json"} <= {path.name for path in tmp_path.iterdir()}
    (tmp_path / "a.b.csv").unlink()
    copy.evaluate(to="a.b")
    assert (tmp_path / "a.b.csv").exists()


def test_cases_without_a_reference_are_refused_and_nothing_is_left(new_loop, phantom, tmp_path):
    import shutil

    data = shutil.copytree(phantom, tmp_path / "data")
    shutil.rmtree(data / "labelsTs")
    loop = new_loop.beside(data=data, out=tmp_path / "out", overrides=("train_ssl.steps=1",))
    loop.preprocess()
    loop.train()
    with pytest.raises(DataError, match="none of the 2 cases to score has a reference"):
        loop.evaluate("specialist")
    assert not list(loop.out.glob("scores*"))


def test_prompts_cannot_be_scored(loop):
    with pytest.raises(
        MissingArtifactError, match=r"holds prompts .* expected checkpoint or labels"
    ):
        loop.evaluate("prompts", to="other")
