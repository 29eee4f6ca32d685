"""`keep_fraction` of retrain: the least reliable pseudo-labeled cases are left out."""

import numpy as np
import pytest

from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.errors import StaleArtifactError, UsageError
from samssl_cli.stages import fitting
from samssl_cli.stages.selecting import select_cases

THIRD = "retrain.keep_fraction=0.33"


@pytest.fixture
def selected(loop, tmp_path):
    """A loop with the shared pseudo-labels, of whose three cases one is kept."""
    return loop.linked(tmp_path, "cases", "pseudo", overrides=(THIRD, "retrain.steps=1"))


def score(pseudo):
    is_counted = (pseudo.label > 0) & (pseudo.acceptance > 0)
    return pseudo.confidence.max(axis=0)[is_counted].astype(float).mean() if is_counted.any() else 0


def test_the_surest_case_alone_is_learned_from(selected, monkeypatch):
    read, given = fitting.pseudo_labeled_volumes, []

    def spy(cases, pseudo, names, options, shelf):
        given.extend(names)
        return read(cases, pseudo, names, options, shelf)

    monkeypatch.setattr(fitting, "pseudo_labeled_volumes", spy)
    pseudo = PseudoLabels(selected.path("pseudo"))
    scores = {name: score(pseudo.read(name)) for name in pseudo.names}
    best, middle, worst = sorted(scores, key=scores.get, reverse=True)
    about = read_manifest(selected.retrain()).about
    told = about["selection"]
    assert about["label_budget"]["unlabeled"] == 1
    assert given == list(told["kept"]) == [best]
    assert list(told["left_out"]) == [worst, middle]
    assert told["kept"][best] == pytest.approx(scores[best], abs=1e-5)
    (note,) = (one for one in selected.notes if "left out" in one)
    assert f"1 of 3 pseudo-labeled cases; left out for their confidence: {worst} (0." in note


def test_how_cases_are_ranked_is_part_of_the_plan(selected):
    selected.retrain()
    other = selected.beside(overrides=(*selected.overrides, "retrain.rank_by=agreement"))
    with pytest.raises(StaleArtifactError, match="rank_by"):
        other.retrain()


def test_agreement_is_read_from_the_objects(selected):
    pseudo = PseudoLabels(selected.path("pseudo"))
    options = selected.recipe.retrain.model_copy(update={"rank_by": "agreement"})
    found = select_cases(pseudo, options)
    for name, told in {**found.kept, **found.left_out}.items():
        accepted = [one["agreement"] for one in pseudo.read(name).objects if one["is_accepted"]]
        assert told == pytest.approx(np.mean(accepted) if accepted else 0, abs=1e-5)


def test_agreement_with_nobody_is_refused(loop, tmp_path):
    nobody = ("sam_label.generalist=none", THIRD, "retrain.rank_by=agreement")
    copy = loop.linked(tmp_path, "cases", "prompts", overrides=nobody)
    copy.label()
    with pytest.raises(UsageError, match=r"agrees with itself.*rank_by=confidence"):
        copy.retrain()


def test_by_default_nothing_is_ranked(loop):
    assert select_cases(PseudoLabels(loop.path("pseudo")), loop.recipe.retrain) is None
    assert "selection" not in read_manifest(loop.path("student")).about
