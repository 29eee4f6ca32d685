"""`--generalist none`: pseudo-labels that nobody was asked for, through the stages that follow."""

import numpy as np
import pytest

from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists.region_growing import RegionGrowing
from samssl_cli.progress import Silent
from samssl_cli.stages.adapt import adapt
from samssl_cli.stages.evaluate import evaluate
from samssl_cli.stages.refining import plan_refinement
from samssl_cli.stages.sam_label import sam_label

NOBODY = "sam_label.generalist=none"
AS_BEFORE = (
    "sam_label.generalist=region-growing",
    "sam_label.specialist_weight=1.0",
    "sam_label.min_agreement=0.0",
)


@pytest.fixture
def linked(loop, tmp_path):
    """A loop with the prompts and the student of the shared one, and these changes."""

    def link(*overrides, folder="out"):
        out = tmp_path / folder
        out.mkdir()
        return loop.linked(out, "cases", "prompts", "specialist", overrides=overrides)

    return link


@pytest.fixture
def own(linked):
    """A loop whose labels are the specialist's own."""
    copy = linked(NOBODY, folder="own")
    copy.label()
    return copy


@pytest.mark.parametrize("is_prompted", [True, False], ids=["objects", "no object"])
def test_the_labels_are_those_of_a_generalist_without_weight(linked, is_prompted):
    changes = [] if is_prompted else ["prompt.min_component_voxels=100000"]
    if is_prompted:
        before, own = linked(*AS_BEFORE, folder="before"), linked(NOBODY, folder="own")
    else:
        before, own = linked(*AS_BEFORE, *changes, folder="before"), linked(NOBODY, *changes)
        for one in (before, own):
            one.path("prompts").unlink()
            one.prompt()
    ours, theirs = PseudoLabels(own.label()), PseudoLabels(before.label())
    assert ours.names == theirs.names
    for name in ours.names:
        found, expected = ours.read(name), theirs.read(name)
        np.testing.assert_array_equal(found.confidence, expected.confidence, strict=True)
        np.testing.assert_array_equal(found.label, expected.label, strict=True)
        np.testing.assert_array_equal(found.acceptance, expected.acceptance, strict=True)
        assert bool(found.objects) is is_prompted
        assert all(one["agreement"] == 1 and one["is_accepted"] for one in found.objects)


def test_no_image_is_encoded_and_no_threshold_counts(own, monkeypatch):
    def encoded(*_):
        raise AssertionError("nobody was to be asked")

    monkeypatch.setattr(RegionGrowing, "embed", encoded)
    strict = own.beside(overrides=(NOBODY, "sam_label.min_agreement=1.0", *_STRICT))
    strict.label()
    assert any("up to date" in note for note in strict.notes)
    strict.path("pseudo").rename(strict.out / "kept.zarr")
    strict.label()
    assert any("asked nobody: " in note for note in strict.notes)
    assert read_manifest(strict.path("pseudo")).fingerprint == (
        read_manifest(strict.out / "kept.zarr").fingerprint
    )


_STRICT = ("sam_label.specialist_weight=0.0", "sam_label.min_predicted_iou=1.0")


def test_the_student_and_its_scores_name_no_generalist(own):
    assert PseudoLabels(own.path("pseudo")).generalists == []
    own.retrain()
    own.evaluate()
    about = Scores(own.path("scores")).about
    assert about["generalists"] == about["asked_beside"] == about["exposure"] == []
    assert not any("generalist" in row for row in about["rows"])
    assert any("none asks nobody; --generalist names another" in note for note in own.notes)


def test_the_labels_themselves_are_scored(own):
    own.evaluate("pseudo", to="pseudo-scores")
    assert Scores(own.path("pseudo-scores")).about["exposure"] == []


@pytest.mark.parametrize(
    ("overrides", "weights", "message"),
    [
        ([NOBODY, "sam_label.gate=calibrated"], None, "gate=thresholds"),
        (['sam_label.generalist=["none","scout"]'], None, "scout cannot be asked beside it"),
        ([NOBODY], "w.pth", r"leave out --checkpoint .*w\.pth"),
    ],
    ids=["calibrated", "company", "weights"],
)
def test_what_makes_no_sense_is_refused_in_a_line(linked, tmp_path, overrides, weights, message):
    copy = linked(*overrides)
    with pytest.raises(UsageError, match=message) as told:
        sam_label(
            copy.path("cases"),
            copy.path("prompts"),
            copy.path("pseudo"),
            weights=None if weights is None else tmp_path / weights,
            recipe=copy.recipe,
            device="cpu",
            force=False,
            progress=Silent(),
        )
    assert "\n" not in str(told.value)


def test_it_has_no_options(linked):
    with pytest.raises(RecipeError, match=r"sam_label\.options\.none"):
        linked(NOBODY, "sam_label.options.none.weight=1").label()


def test_nobody_refines_and_nobody_is_adapted(linked):
    copy = linked(NOBODY)
    common = {"recipe": copy.recipe, "device": "cpu", "force": False, "progress": Silent()}
    paths = (copy.path(name) for name in ("cases", "specialist", "scores"))
    with pytest.raises(UsageError, match="--refine: generalist none asks nobody"):
        evaluate(*paths, refine=True, **common)
    with pytest.raises(UsageError, match="--refine: generalist none asks nobody"):
        plan_refinement(copy.recipe, None, Silent())
    with pytest.raises(UsageError, match="none has no weights that could be adapted"):
        adapt(copy.path("cases"), copy.out / "mine.zarr", weights=None, seed=0, **common)
