from types import SimpleNamespace

import pytest

from samssl_cli.report.provenance import facts, notices


class FakeScores:
    """Two cases of one class with Dice 0.9 each, beside a template with 0.5."""

    def __init__(self, *, num_cases=8, dice=0.9, template=0.5, missed=False, **about):
        self.names = tuple(f"case_{number}" for number in range(num_cases))
        self._rows = {"raw": self._row(dice, missed), "template": self._row(template, False)}
        self.manifest = SimpleNamespace(
            fingerprint="f" * 64,
            plan={"options": {"evaluate": {"in_voxels": False}, "largest_component": [1]}},
        )
        self.about = {
            "rows": ["raw", "template"],
            "headline": "raw",
            "class_names": ["background", "organ"],
            "scored": "checkpoint",
            "stage": "retrain",
            "seed": 3,
            "method": "supervised",
            "steps": 100,
            "checkpoint_rule": "last",
            "label_budget": {"training": 1, "selection": 0, "calibration": 0, "unlabeled": 67},
            "num_labeled": 1,
            "num_scored": {"test": num_cases, "unlabeled": 0},
            "spacing_is_known": True,
            "hardware": {"device": "cpu", "name": "a processor", "cores": 2},
            "generalists": [{"name": "sam", "register": "sam", "weights_sha256": "abc"}],
            "asked_beside": None,
            "known_as": "la",
            "exposure": [],
            "tolerance": 2.0,
            "made_from_these_cases": True,
            "fingerprints": {"scored": "a", "cases": "b"},
            "versions": {"samssl": "0.1"},
            **about,
        }

    def rows(self, _name):
        return self._rows

    @staticmethod
    def _row(dice, missed):
        flags = {"missed": missed, "spurious": False, "is_empty": False}
        volumes = {"prediction_ml": 1.0, "reference_ml": 1.0}
        return [{"class_index": 1, "values": {"dice": dice}, **flags, **volumes}]


def named(scores):
    return {(fact.group, fact.name): fact.value for fact in facts(scores)}


def test_the_label_budget_and_the_training_are_stated():
    found = named(FakeScores())
    assert found["Label budget", "labeled cases trained on"] == "1"
    assert found["Label budget", "labeled cases to select a checkpoint"] == "0"
    assert found["Label budget", "labeled cases to calibrate"] == "0"
    assert found["Training", "seed"] == "3"
    assert found["Training", "checkpoint"] == "last"
    assert found["Training", "hardware"] == "cpu: a processor, 2 cores"
    assert found["Generalists", "weights of sam (sha256)"] == "abc"
    assert found["Scoring", "tolerance of NSD"] == "2 mm"
    assert found["Fingerprints", "cases"] == "b"
    assert found["Label budget", "test cases scored"] == "8"


def test_a_generalist_that_taught_and_was_asked_is_listed_once():
    sam = {"name": "sam", "register": "sam", "weights_sha256": "abc"}
    found = facts(FakeScores(generalists=[sam], asked_beside=dict(sam)))
    assert [fact.value for fact in found].count("abc") == 1


def test_what_a_gate_found_is_stated():
    dice = {"specialist": 0.8, "generalists": {"sam": 0.7}, "gated": 0.8}
    gate = {"is_calibrated": True, "is_open": False, "num_labeled": 1, "dice": dice}
    scores = FakeScores(gate=gate, asked_beside=[{"name": "sam", "weights_sha256": None}])
    found = named(scores)
    assert found["Generalists", "gate"].startswith("The generalist did not help")
    assert found["Generalists", "asked beside the prediction"] == "sam"
    assert found["Label budget", "labeled cases to calibrate"] == "1 (the same, for the gate)"
    (notice,) = notices(scores)
    assert (notice.level, notice.text) == ("info", found["Generalists", "gate"])


def test_an_adapted_generalist_says_what_it_was_adapted_to():
    adapted = {"num_labeled": 1, "dataset": "LA", "steps": 50, "cases_fingerprint": "b"}
    scout = {"name": "scout", "register": "scout", "weights_sha256": "abc", "adapted": adapted}
    elsewhere = {**scout, "adapted": {**adapted, "cases_fingerprint": "other"}}

    told = [fact.value for fact in facts(FakeScores(generalists=[scout]))]

    assert any(value.startswith("to 1 labeled case of LA, 50 steps") for value in told)
    assert warns(FakeScores(generalists=[elsewhere]))
    assert not warns(FakeScores(generalists=[scout]))


def test_one_that_was_left_as_it_was_says_so_and_warns_of_nothing():
    adapted = {"num_labeled": 2, "dataset": "LA", "steps": 0, "cases_fingerprint": "other"}
    scout = {"name": "scout", "register": "scout", "weights_sha256": "abc", "adapted": adapted}

    told = {fact.name: fact.value for fact in facts(FakeScores(generalists=[scout]))}

    assert told["scout was left as it was"] == "no gain was measured on 2 labeled cases of LA"
    assert not warns(FakeScores(generalists=[scout]))


def warns(scores):
    return any("scout was adapted to labels of other cases" in n.text for n in notices(scores))


def test_scores_without_a_training_state_what_there_is():
    scores = FakeScores(stage="sam-label", scored="pseudo-labels")
    for key in ("method", "steps", "hardware", "label_budget", "checkpoint_rule"):
        del scores.about[key]
    found = named(scores)
    assert found["Label budget", "labeled cases trained on"] == "1"
    assert ("Training", "method") not in found
    assert any("out of reach" in notice.text for notice in notices(scores))


def test_a_clean_score_has_no_notice():
    assert notices(FakeScores()) == ()


def exposed(verdict):
    return [{"generalist": "sam", "verdict": verdict, "sentence": "It has seen it.", "source": "x"}]


@pytest.mark.parametrize(
    ("scores", "level", "told"),
    [
        (FakeScores(exposure=exposed("seen")), "warning", "has seen it"),
        (FakeScores(exposure=exposed("unknown")), "info", "has seen it"),
        (FakeScores(made_from_these_cases=False), "warning", "other cases or another split"),
        (FakeScores(num_cases=1, missed=True, num=1), "warning", "1 object was missed"),
        (FakeScores(missed=True), "warning", "8 objects were missed"),
        (FakeScores(template=0.87), "warning", "3.0 Dice points above a template"),
        (FakeScores(num_cases=4), "info", "With 4 cases"),
        (
            FakeScores(num_scored={"test": 0, "unlabeled": 8}),
            "warning",
            "8 of the cases scored are unlabeled cases of the training",
        ),
        (FakeScores(spacing_is_known=False), "warning", "knows no voxel size"),
    ],
    ids=[
        "seen",
        "unknown",
        "other-cases",
        "one-missed",
        "missed",
        "near-template",
        "few",
        "trained-on",
        "no-size",
    ],
)
def test_what_must_not_be_overlooked(scores, level, told):
    (found,) = [notice for notice in notices(scores) if told in notice.text]
    assert found.level == level


def test_warnings_come_first():
    levels = [notice.level for notice in notices(FakeScores(num_cases=4, missed=True))]
    assert levels == ["warning", "info"]
