import math

import numpy as np
import pytest

from samssl_cli.errors import DataError
from samssl_cli.metrics import METRICS
from samssl_cli.metrics import score as score_module
from samssl_cli.metrics.comparison import Comparison
from samssl_cli.metrics.score import ClassScore, summarise
from samssl_cli.registry import load

SPACING_MM = (1.0, 1.0, 2.0)  # the diagonal of 3 x 4 x 6 voxels is 13 mm
OVERLAPS = ("dice", "jaccard", "precision", "recall", "nsd")
DISTANCES = ("hd95_mm", "hd_mm", "asd_mm", "assd_mm")


def score_case(prediction, reference, spacing_mm, num_classes, *, in_voxels=False):
    return score_module.score_case(
        prediction, reference, spacing_mm, num_classes, tolerance=2.0, in_voxels=in_voxels
    )


def comparison(prediction, reference):
    return Comparison(
        prediction, reference, SPACING_MM, worst_distance=13.0, tolerance=2.0, voxel_volume=0.002
    )


def label(**places):
    """A label map of 3 x 4 x 6 voxels; `one=3` puts class 1 on voxels (0, 0, 0 … 2)."""
    volume = np.zeros((3, 4, 6), np.uint8)
    volume[0, 0, : places.get("one", 0)] = 1
    volume[2, 3, : places.get("two", 0)] = 2
    return volume


def test_every_class_is_scored_by_every_metric():
    one, two = score_case(label(one=2, two=3), label(one=4, two=3), SPACING_MM, 3)
    assert (one.class_index, two.class_index) == (1, 2)
    assert list(one.values) == list(METRICS)
    assert one.values["dice"] == pytest.approx(4 / 6)
    assert one.values["jaccard"] == pytest.approx(2 / 4)
    # along k, 2 mm apart; from the reference's voxels: 0, 0, 2, 4; from the prediction's: 0, 0
    assert one.values["asd_mm"] == 0
    assert one.values["hd95_mm"] == pytest.approx(2 + 0.75 * 2)  # 4.75 of 5 steps
    assert {name: two.values[name] for name in OVERLAPS} == dict.fromkeys(OVERLAPS, 1)
    assert {name: two.values[name] for name in DISTANCES} == dict.fromkeys(DISTANCES, 0)


@pytest.mark.parametrize(
    ("predicted", "there", "overlap", "distance", "flags"),
    [
        pytest.param(0, 2, 0, 13, (True, False, False), id="missed"),
        pytest.param(2, 0, 0, 13, (False, True, False), id="spurious"),
        pytest.param(0, 0, 1, 0, (False, False, True), id="both empty"),
        pytest.param(1, 1, 1, 0, (False, False, False), id="one voxel, at the border"),
    ],
)
def test_row_12_the_rule_for_empty_masks(predicted, there, overlap, distance, flags):
    (score,) = score_case(label(one=predicted), label(one=there), SPACING_MM, 2)
    assert {score.values[name] for name in OVERLAPS} == {overlap}
    assert {score.values[name] for name in DISTANCES} == {distance}
    assert (score.missed, score.spurious, score.is_empty) == flags


def test_a_class_beyond_the_last_is_not_scored():
    assert len(score_case(label(two=3), label(two=3), SPACING_MM, 2)) == 1
    assert score_case(label(two=3), label(two=3), SPACING_MM, 1) == []


def test_volumes_are_in_ml_whatever_the_metrics_are_in():
    for in_voxels in (False, True):
        (score,) = score_case(label(one=2), label(one=5), SPACING_MM, 2, in_voxels=in_voxels)
        assert (score.prediction_ml, score.reference_ml) == pytest.approx((0.004, 0.010))
        assert {type(score.prediction_ml), type(score.missed)} == {float, bool}  # for JSON
    assert score.values["volume_difference_voxels"] == 3


def test_a_comparison_holds_only_the_part_where_something_is(monkeypatch):
    seen = []
    real = score_module.Comparison
    monkeypatch.setattr(
        score_module, "Comparison", lambda **given: seen.append(given) or real(**given)
    )
    score_case(label(one=2), label(one=5, two=1), SPACING_MM, 4)
    shapes = [given["prediction"].shape for given in seen]
    assert shapes == [(1, 1, 5), (1, 1, 1), (1, 1, 1)]
    # yet a miss costs the diagonal of the whole volume
    assert {given["worst_distance"] for given in seen} == {13.0}


def test_grids_have_to_agree():
    with pytest.raises(DataError, match=r"\(3, 4, 6\) voxels, the reference \(6, 4, 3\)"):
        score_case(label(), label().T, SPACING_MM, 2)


def test_row_12_the_summary_is_over_all_cases_and_classes():
    cases = [
        score_case(label(one=2, two=1), label(one=2, two=1), SPACING_MM, 3),  # perfect
        score_case(label(one=2), label(one=4, two=1), SPACING_MM, 3),  # 2/3, and a miss
        score_case(label(one=0, two=1), label(), SPACING_MM, 3),  # nothing there, and spurious
    ]
    summary = summarise(cases)
    one, two = summary.classes
    assert [score.class_index for score in (one, two)] == [1, 2]
    assert (one.num_cases, one.num_missed, one.num_spurious, one.num_empty) == (3, 0, 0, 1)
    assert (two.num_cases, two.num_missed, two.num_spurious, two.num_empty) == (3, 1, 1, 0)
    assert one.mean["dice"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert one.std["dice"] == pytest.approx(np.std([1, 2 / 3, 1], ddof=1))
    assert two.mean["dice"] == pytest.approx(1 / 3)
    assert two.mean["hd95_mm"] == pytest.approx((0 + 13 + 13) / 3)
    assert summary.mean["dice"] == pytest.approx((one.mean["dice"] + two.mean["dice"]) / 2)


def test_row_12_a_miss_never_improves_a_mean():
    found = score_case(label(one=1), label(one=6), SPACING_MM, 2)
    missed = score_case(label(), label(one=6), SPACING_MM, 2)
    with_hit, with_miss = summarise([found, found]).mean, summarise([found, missed]).mean
    assert with_miss["dice"] < with_hit["dice"]
    assert with_miss["hd95_mm"] > with_hit["hd95_mm"]
    assert with_miss["asd_mm"] > with_hit["asd_mm"]


def test_one_case_and_no_case():
    summary = summarise([score_case(label(one=1), label(one=1), SPACING_MM, 2)])
    assert summary.classes[0].std["dice"] == 0
    assert summarise([]).classes == ()
    assert summarise([]).mean == {}


@pytest.mark.parametrize("name", METRICS)
def test_row_12_every_row_loads_and_is_finite_whatever_is_empty(name):
    metric = load(METRICS, name, kind="metric")
    assert METRICS[name].source
    for prediction in (False, True):
        for reference in (False, True):
            masks = np.full((2, 1, 3), prediction), np.full((2, 1, 3), reference)
            assert math.isfinite(metric(comparison(*masks)))


def test_distances_are_computed_once_for_all_metrics():
    compared = comparison(label(one=1) == 1, label(one=3) == 1)
    assert compared.distances is compared.distances
    assert compared.counts is compared.counts


def test_a_mean_has_an_interval_within_what_the_metric_can_be():
    rows = [[overlap / 10, 20.0 * (10 - overlap)] for overlap in (0, 1, 10)]
    cases = [[scored(dice=dice, volume_difference_percent=percent)] for dice, percent in rows]
    (organ,) = summarise(cases).classes
    assert organ.median == {"dice": 0.1, "volume_difference_percent": 180.0}
    assert 0 <= organ.low["dice"] < organ.mean["dice"] < organ.high["dice"] <= 1
    assert organ.high["volume_difference_percent"] <= 200


def scored(**values):
    flags = {"missed": False, "spurious": False, "is_empty": False}
    return ClassScore(class_index=1, values=values, **flags, prediction_ml=1.0, reference_ml=1.0)
