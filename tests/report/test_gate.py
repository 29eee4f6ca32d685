from samssl_cli.report.gate import gate_in_words

GATE = {
    "is_calibrated": True,
    "is_open": True,
    "num_labeled": 1,
    "out_of_fold": [],
    "num_accepted": 60,
    "num_objects": 67,
    "dice": {"specialist": 0.801, "generalists": {"scout": 0.85, "sam": 0.7}, "gated": 0.88},
}


def test_a_gate_that_is_open_says_how_many_passed():
    assert gate_in_words(GATE) == (
        "The gate let 60 of 67 objects pass; Dice on the labeled cases, out of fold: specialist "
        "80.1 %, scout 85.0 %, sam 70.0 %, gated 88.0 %."
    )


def test_one_that_was_asked_out_of_fold_is_named():
    told = gate_in_words({**GATE, "out_of_fold": ["scout"]})
    assert told.endswith(
        "scout was adapted to these cases, and asked about each with weights that left it out."
    )


def test_in_labels_from_before_one_that_was_adapted_on_the_labeled_cases_is_named():
    told = gate_in_words({**GATE, "adapted": ["scout"]})
    assert told.endswith("scout was adapted on these very cases and looks better there than it is.")


def test_a_generalist_that_did_not_help_was_left_out():
    told = gate_in_words({**GATE, "is_open": False})
    assert told.startswith("The generalist did not help on the labeled cases and was left out")
    assert "specialist 80.1 %" in told


def test_a_gate_that_could_not_be_calibrated_says_so():
    told = gate_in_words({"is_calibrated": False, "is_open": False, "num_labeled": 1})
    assert "could not be calibrated" in told
