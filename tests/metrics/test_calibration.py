import json

import numpy as np
import pytest

from samssl_cli.metrics.calibration import ReliabilityCounts, reliability


def row(*probabilities):
    return np.array(probabilities, np.float32).reshape(-1, 1, 1)


def truth(*flags):
    return np.array(flags, bool).reshape(-1, 1, 1)


def test_counts_and_error_by_hand():
    counts = reliability(row(0.1, 0.3, 0.6, 0.8, 1.0), truth(0, 0, 1, 0, 1), num_bins=2)
    # below 0.5: 0.1 and 0.3, none true; from 0.5 on: 0.6, 0.8 and 1, two of three true
    assert counts.count.tolist() == [2, 3]
    assert counts.confidence == pytest.approx([0.2, 0.8])
    assert counts.frequency == pytest.approx([0, 2 / 3])
    assert counts.ece == pytest.approx(2 / 5 * 0.2 + 3 / 5 * (0.8 - 2 / 3))


def test_a_border_belongs_to_the_upper_bin_and_one_to_the_last():
    counts = reliability(row(0.0, 0.25, 0.5, 0.75, 1.0), truth(0, 0, 0, 0, 0), num_bins=4)
    assert counts.count.tolist() == [1, 1, 1, 2]


def test_an_empty_bin_is_nan_and_adds_no_error():
    counts = reliability(row(1.0, 1.0), truth(1, 1), num_bins=3)
    np.testing.assert_array_equal(counts.confidence, [np.nan, np.nan, 1])
    np.testing.assert_array_equal(counts.frequency, [np.nan, np.nan, 1])
    assert counts.ece == 0


def test_perfectly_sure_and_always_wrong_is_an_error_of_one():
    assert reliability(row(1.0, 1.0), truth(0, 0)).ece == 1


def test_only_the_neighbourhood_of_the_object_counts():
    probability = np.zeros((60, 40, 13), np.float32)
    reference = np.zeros((60, 40, 13), bool)
    probability[30, 20, 6] = 0.5  # a prediction of one voxel
    reference[33, 20, 6] = True
    # i: 30 … 33 and 10 on each side; j: 20 and 10 on each side; k: the volume ends before
    assert reliability(probability, reference).count.sum() == 24 * 21 * 13


@pytest.mark.parametrize("which", ["prediction", "reference"])
def test_one_voxel_in_a_corner(which):
    probability, reference = np.zeros((30, 30, 30), np.float32), np.zeros((30, 30, 30), bool)
    if which == "prediction":
        probability[0, 0, 0] = 1
    else:
        reference[0, 0, 0] = True
    counts = reliability(probability, reference)
    assert counts.count.sum() == 11**3
    assert counts.ece == pytest.approx(1 / 11**3)


def test_no_voxels_when_both_are_empty():
    counts = reliability(np.full((4, 3, 2), 0.4, np.float32), np.zeros((4, 3, 2), bool))
    assert counts.count.tolist() == [0] * 15
    assert counts.ece == 0
    assert np.isnan(counts.confidence).all()


def test_cases_add_up():
    one, two = row(0.2, 0.9), row(0.4, 0.7, 0.7)
    first, second = truth(0, 1), truth(1, 0, 1)
    together = reliability(np.concatenate([one, two]), np.concatenate([first, second]))
    added = reliability(one, first) + reliability(two, second) + ReliabilityCounts.empty(15)
    for name in ("count", "confidence_sum", "hits"):
        np.testing.assert_allclose(getattr(added, name), getattr(together, name))
    assert added.ece == pytest.approx(together.ece)


def test_counts_survive_json():
    counts = reliability(row(0.1, 0.6, 0.8), truth(0, 1, 1), num_bins=3)
    again = ReliabilityCounts.from_json(json.loads(json.dumps(counts.to_json())))
    for name in ("count", "confidence_sum", "hits"):
        assert getattr(again, name).dtype == getattr(counts, name).dtype
        np.testing.assert_array_equal(getattr(again, name), getattr(counts, name))


def test_calibrated_probabilities_have_next_to_no_error():
    rng = np.random.default_rng(0)
    probability = rng.random((60, 60, 60), np.float32)
    reference = rng.random((60, 60, 60)) < probability
    # 216000 voxels, 14400 in each of 15 bins: the standard error of a bin is at most 0.004
    assert reliability(probability, reference).ece < 0.005


def test_grids_have_to_agree():
    with pytest.raises(AssertionError, match=r"\(2, 1, 1\), \(3, 1, 1\)"):
        reliability(row(0.1, 0.2), truth(0, 0, 1))
