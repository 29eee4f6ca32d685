"""A calibrated gate, and several generalists, through the stages that follow."""

import pytest

from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.scores import Scores
from samssl_cli.generalists import GENERALISTS

CALIBRATED = (
    "sam_label.gate=calibrated",
    "gate.num_draws=2",
    "retrain.steps=1",
    "evaluate.cases=test",
)


@pytest.fixture(scope="module")
def gated(loop, tmp_path_factory):
    """A student of gated pseudo-labels, and the scores of both."""
    out = tmp_path_factory.mktemp("gated")
    copy = loop.linked(out, "cases", "prompts", overrides=CALIBRATED)
    copy.label()
    copy.retrain()
    copy.evaluate()
    copy.evaluate("pseudo", to="pseudo-scores")
    return copy


def test_student_and_scores_say_what_the_gate_found(gated):
    found = [Scores(gated.path(name)).about["gate"] for name in ("scores", "pseudo-scores")]
    assert found[0] == found[1]
    assert found[0]["num_labeled"] == 1
    assert found[0]["num_objects"] > 0
    assert any("labeled cases" in note for note in gated.notes)


def test_evaluate_does_not_guess_what_a_calibrated_gate_would_make(gated):
    scores = Scores(gated.path("scores"))
    case = scores.read(scores.names[0])
    assert case.pseudo_label is None
    assert case.prompts
    assert "pseudo_labels" not in case.diagnosis
    assert "generalist+specialist-prompts" in scores.about["rows"]
    pseudo = Scores(gated.path("pseudo-scores"))
    assert "pseudo_labels" in pseudo.diagnosis(pseudo.names[0])


def test_the_gates_options_count_only_where_it_is_calibrated(gated, loop):
    other = loop.beside(overrides=("gate.num_draws=3",))
    other.label()
    assert any("up to date" in note for note in other.notes)


def test_labels_of_thresholds_say_nothing_of_a_gate(loop):
    assert "gate" not in Scores(loop.path("scores")).about


def test_two_generalists_that_say_the_same_are_as_one(loop, tmp_path, monkeypatch):
    monkeypatch.setitem(GENERALISTS, "twin", GENERALISTS["region-growing"])
    both = ('sam_label.generalist=["region-growing", "twin"]',)
    copy = loop.linked(tmp_path, "cases", "prompts", "student", overrides=both)

    for name in (labels := PseudoLabels(copy.label())).names:
        alone = PseudoLabels(loop.path("pseudo")).read(name)
        assert (labels.read(name).label == alone.label).mean() > 0.999  # but for rounding
    scores, single = Scores(copy.evaluate()), Scores(loop.path("scores"))
    assert [one["name"] for one in scores.about["asked_beside"]] == ["region-growing", "twin"]
    for name in scores.names:
        for row in ("generalist+specialist-prompts", "generalist+oracle-prompts"):
            for one, other in zip(scores.rows(name)[row], single.rows(name)[row], strict=True):
                assert one["values"]["dice"] == pytest.approx(other["values"]["dice"], abs=1e-3)
