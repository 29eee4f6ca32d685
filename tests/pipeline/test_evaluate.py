import csv
import json

import numpy as np
import pytest

from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.artifacts.scores import Scores
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.errors import DataError, UsageError
from samssl_cli.metrics.columns import columns

CLEANED = ["raw", "largest-component", "blur+largest-component"]
ASKED = ["generalist+specialist-prompts", "generalist+oracle-prompts"]
ROWS = [*CLEANED, "template", *ASKED]
METRIC_NAMES = [column.name for column in columns()]
PLAIN = ("evaluate.sanity=false",)


def test_the_array_the_csv_and_the_json_say_the_same(loop):
    scores = Scores(loop.path("scores"))
    values = SealedStore(scores.path).member("values")
    axes = values.attributes["axes"]
    assert axes == {
        "rows": ROWS,
        "cases": ["phantom_004", "phantom_005"],
        "classes": ["organ", "vessel"],
        "metrics": METRIC_NAMES,
    }
    lines = list(csv.DictReader((loop.out / "scores.csv").read_text().splitlines()))
    document = json.loads((loop.out / "scores.json").read_text())
    assert len(lines) == len(document["cases"]) == len(ROWS) * 2 * 2
    for line, record in zip(lines, document["cases"], strict=True):
        place = tuple(
            axes[axis].index(line[key])
            for axis, key in (("rows", "row"), ("cases", "case"), ("classes", "class"))
        )
        expected = values.arrays["value"][place]
        assert [float(line[metric]) for metric in METRIC_NAMES] == list(expected)
        assert [record["values"][metric] for metric in METRIC_NAMES] == list(expected)
    means = document["summary"]["raw"]["classes"]["organ"]["mean"]
    organ = values.arrays["value"][0, :, 0]
    assert [means[metric] for metric in METRIC_NAMES] == pytest.approx(list(organ.mean(axis=0)))


def test_a_perfect_prediction_scores_100(loop, tmp_path, monkeypatch):
    from samssl_cli.volumes import geometry

    references = HeldOutLabels(loop.path("cases"))
    names = iter(("phantom_004", "phantom_005"))

    def perfect(_probability, _geometry):
        label = references.read(next(names))
        return np.stack([label == value for value in range(3)]).astype(np.float32)

    monkeypatch.setattr(geometry, "to_native_probability", perfect)
    copy = loop.linked(tmp_path, "cases", "student", overrides=PLAIN)
    copy.evaluate()
    raw = json.loads((tmp_path / "scores.json").read_text())["summary"]["raw"]
    assert raw["mean"]["dice"] == 1.0
    assert raw["classes"]["organ"]["num_missed"] == 0


def test_an_empty_prediction_is_counted_as_missed(loop, tmp_path, monkeypatch):
    from samssl_cli.volumes import geometry

    def empty(_probability, one):
        return np.stack([np.full(one.native.shape, value, np.float32) for value in (1, 0, 0)])

    monkeypatch.setattr(geometry, "to_native_probability", empty)
    copy = loop.linked(tmp_path, "cases", "student", overrides=PLAIN)
    copy.evaluate()
    document = json.loads((tmp_path / "scores.json").read_text())
    for row in CLEANED:
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


def test_an_evaluation_that_is_up_to_date_writes_nothing(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "student", overrides=PLAIN)
    copy.evaluate()
    files = (tmp_path / "scores.csv", tmp_path / "scores.json", tmp_path)
    before = [path.stat().st_mtime_ns for path in files]
    copy.evaluate()
    assert [path.stat().st_mtime_ns for path in files] == before


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


def test_prompts_are_diagnosed_on_the_unlabeled_cases_with_a_reference(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "prompts")
    scores = Scores(copy.evaluate("prompts"))
    assert (scores.names, scores.about["scored"]) == (("phantom_001",), "prompts")
    assert scores.about["rows"] == [*CLEANED, "template"]
    case = scores.read("phantom_001")
    assert {record["class_index"] for record in case.prompts} <= {1, 2}
    quality = case.diagnosis["prompts"]["organ"]
    assert 0 <= quality["positive_inside"] <= quality["num_positive"]
    pooled = json.loads((tmp_path / "scores.json").read_text())["diagnosis"]
    assert pooled["prompts"]["organ"]["num_positive"] == quality["num_positive"]


def test_pseudo_labels_are_diagnosed(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "pseudo")
    scores = Scores(copy.evaluate("pseudo"))
    quality = scores.diagnosis("phantom_001")["pseudo_labels"]["organ"]
    assert 0 < quality["num_both_accepted"] <= quality["num_reference_accepted"]
    assert quality["num_accepted"] <= quality["num_objects"]
    assert "prompts" not in scores.diagnosis("phantom_001")
    pooled = json.loads((tmp_path / "scores.json").read_text())["diagnosis"]
    assert 0 <= pooled["reliability"]["organ"]["ece"] <= 1
    inside, outside = quality["num_reference_accepted"], quality["num_reference_rejected"]
    assert pooled["pseudo_labels"]["organ"]["coverage"] == inside / (inside + outside)


def test_what_sam_label_would_make_of_a_prediction_is_kept_to_look_at(loop):
    case = Scores(loop.path("scores")).read("phantom_004")
    assert case.pseudo_label is not None
    assert case.pseudo_label.shape == case.prediction.shape
    shape = loop_shape(loop, "phantom_004")
    for record in case.prompts:
        assert len(record["points"]) == len(record["is_positive"])
        assert all(
            0 <= x < n for point in record["points"] for x, n in zip(point, shape, strict=True)
        )


def loop_shape(loop, name):
    from samssl_cli.artifacts.cases import Cases

    return Cases(loop.path("cases")).read_unlabeled(name).geometry.shape


def test_oracle_prompts_are_better_than_those_of_an_untrained_student(loop):
    summary = json.loads((loop.out / "scores.json").read_text())["summary"]
    own, oracle = (summary[row]["classes"]["organ"]["mean"]["dice"] for row in ASKED)
    assert oracle > own + 0.3  # 0.47 against 0.01: eight steps of training say nothing


def test_distances_in_voxels_have_columns_of_their_own(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "student", overrides=(*PLAIN, "evaluate.in_voxels=true"))
    scores = Scores(copy.evaluate())
    assert "hd95_voxels" in scores.about["metrics"]
    assert "hd95_mm" not in scores.about["metrics"]


def test_a_generalist_without_its_weights_is_left_out_with_a_note(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "student", overrides=("sam_label.generalist=sam",))
    scores = Scores(copy.evaluate())
    assert scores.about["rows"] == [*CLEANED, "template"]
    assert any("sam needs its weights" in note for note in copy.notes)


def test_a_score_says_where_it_comes_from(loop):
    about = Scores(loop.path("scores")).about
    assert about["label_budget"] == {
        "training": 1,
        "selection": 0,
        "calibration": 0,
        "unlabeled": 3,
    }
    assert (about["stage"], about["seed"], about["checkpoint_rule"]) == ("retrain", 0, "last")
    assert about["hardware"]["device"] == "cpu"
    assert [one["name"] for one in about["generalists"]] == ["region-growing"]
    assert about["exposure"][0]["verdict"] == "untrained"
    assert set(about["fingerprints"]) == {"scored", "cases"}


def test_weights_that_would_not_be_used_are_refused(loop, tmp_path):
    from samssl_cli.progress import Silent
    from samssl_cli.stages.evaluate import evaluate

    for what, overrides in (("pseudo", ()), ("student", PLAIN)):
        copy = loop.beside(overrides=overrides)
        with pytest.raises(UsageError, match="leave it out"):
            evaluate(
                loop.path("cases"),
                loop.path(what),
                tmp_path / "scores.zarr",
                recipe=copy.recipe,
                weights=tmp_path / "typo.pth",
                device="cpu",
                force=False,
                progress=Silent(),
            )


def test_a_student_keeps_the_generalists_of_the_checkpoint_it_began_with(loop, tmp_path):
    from samssl_cli.artifacts.checkpoint import Checkpoint

    copy = loop.linked(tmp_path, "cases", "pseudo", init=loop.path("student"))
    again = Checkpoint(copy.retrain())
    assert [one["name"] for one in again.generalists] == ["region-growing"]  # of both, once
    assert Checkpoint(loop.path("specialist")).generalists == []


def test_scores_say_which_roles_were_scored(loop, tmp_path):
    overrides = (*PLAIN, "evaluate.cases=held-out")
    copy = loop.linked(tmp_path, "cases", "student", overrides=overrides)
    assert Scores(copy.evaluate()).about["num_scored"] == {"test": 2, "unlabeled": 1}
