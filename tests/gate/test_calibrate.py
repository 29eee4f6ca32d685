"""Calibration on views that are made by hand; on whole cases: tests/stages/test_gating.py."""

import json

import pytest

from samssl_cli.gate.calibrate import calibrate
from samssl_cli.recipe import Gate

OPTIONS = Gate(voxels_per_object=300)


def calibrated(views, names=("a", "b"), agreements=(0.7, 0.8), generalists=("g",), **options):
    options = OPTIONS.model_copy(update=options)
    return calibrate(names, lambda name: views[name], agreements, options, generalists=generalists)


def test_an_answer_that_is_right_is_followed(make_view):
    # The specialist is at 5; the truth, and the answer, one voxel beside it.
    views = {
        n: [make_view(at, truth=at, draw=d) for d, at in enumerate((4, 6, 4, 6))] for n in "ab"
    }
    found = calibrated(views)
    assert found.gate.is_open
    assert found.summary["dice"]["specialist"] == 0.75
    assert found.summary["dice"]["gated"] == 1.0
    assert found.summary["dice"]["generalists"] == {"g": 1.0}
    assert found.gate.volumes_mm3 == {1: (64.0, 256.0)}  # all have 128 mm³
    json.dumps(found.summary, allow_nan=False)


def test_an_answer_that_repeats_the_specialist_is_not(make_view):
    views = {n: [make_view(5, truth=at, draw=d) for d, at in enumerate((4, 6))] for n in "ab"}
    found = calibrated(views)
    assert not found.gate.is_open
    assert found.summary["gain"] <= 0


def test_the_number_of_standard_errors_decides(make_view):
    # Right in two cases, the specialist's own in the third: gains of 0.25, 0.25 and 0, whose mean
    # has an error of 0.144 / sqrt(3).
    views = {n: [make_view(at, truth=at, draw=d) for d, at in enumerate((4, 6))] for n in "ab"}
    views["c"] = [make_view(5, truth=at, draw=d) for d, at in enumerate((4, 6))]
    found = calibrated(views, names="abc", agreements=())
    assert found.gate.is_open
    assert found.summary["gain"] == pytest.approx(1 / 6, abs=1e-5)
    assert found.summary["standard_error"] == pytest.approx(0.0833, abs=1e-4)
    assert not calibrated(views, names="abc", agreements=(), standard_errors=2.1).gate.is_open


def test_one_case_is_judged_by_the_other_half(make_view):
    views = {"a": [make_view(at, truth=at, draw=d) for d, at in enumerate((4, 6, 6, 4))]}
    found = calibrated(views, names=("a",))
    assert found.gate.is_open
    assert found.summary["num_labeled"] == 1


@pytest.mark.parametrize(
    "views",
    [
        pytest.param({"a": [], "b": []}, id="nothing-prompted"),
        pytest.param({"a": None, "b": []}, id="one-case-only"),
    ],
)
def test_too_little_leaves_the_gate_closed(views, make_view):
    views = {n: [make_view(5, truth=5)] if all_ is None else all_ for n, all_ in views.items()}
    found = calibrated(views)
    assert not found.gate.is_open
    assert found.summary["is_calibrated"] is False
    json.dumps(found.summary, allow_nan=False)


def test_an_object_that_is_none_in_truth_teaches_nothing(make_view):
    good = {n: [make_view(at, truth=at, draw=d) for d, at in enumerate((4, 6))] for n in "ab"}
    more = {n: [*all_, make_view(5, truth=12)] for n, all_ in good.items()}
    assert calibrated(good).summary == calibrated(more).summary


def test_it_is_deterministic(make_view):
    views = {n: [make_view(at, 5, truth=at, draw=d) for d, at in enumerate((4, 6))] for n in "ab"}
    one, other = (calibrated(views, generalists=("g", "h"), voxels_per_object=50) for _ in "12")
    assert one.summary == other.summary
    assert one.gate.coefficients.tolist() == other.gate.coefficients.tolist()
