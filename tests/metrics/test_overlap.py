import numpy as np
import pytest

from samssl_cli.metrics.overlap import (
    Counts,
    count,
    dice,
    jaccard,
    precision,
    recall,
    volume_difference,
    volume_difference_percent,
)


def line(*voxels):
    mask = np.zeros((8, 1, 1), bool)
    mask[list(voxels)] = True
    return mask


@pytest.mark.parametrize(
    ("prediction", "reference", "expected_dice", "expected_jaccard"),
    [
        pytest.param(line(1, 2, 3), line(1, 2, 3), 1.0, 1.0, id="equal"),
        pytest.param(line(0, 1, 2, 3), line(3, 4), 2 / 6, 1 / 5, id="one shared voxel"),
        pytest.param(line(0), line(7), 0.0, 0.0, id="apart, one voxel each, at the border"),
        pytest.param(line(), line(), 1.0, 1.0, id="both empty"),
        pytest.param(line(), line(2), 0.0, 0.0, id="missed"),
        pytest.param(line(2), line(), 0.0, 0.0, id="spurious"),
    ],
)
def test_overlap_by_hand(prediction, reference, expected_dice, expected_jaccard):
    counts = count(prediction, reference)
    assert dice(counts) == pytest.approx(expected_dice)
    assert jaccard(counts) == pytest.approx(expected_jaccard)
    assert type(dice(counts)) is float


@pytest.mark.parametrize(
    ("counts", "expected_precision", "expected_recall"),
    [
        pytest.param(Counts(4, 2, 1), 1 / 4, 1 / 2, id="one shared voxel"),
        pytest.param(Counts(2, 8, 2), 1.0, 1 / 4, id="inside the reference"),
        pytest.param(Counts(0, 0, 0), 1.0, 1.0, id="both empty"),
        pytest.param(Counts(0, 5, 0), 0.0, 0.0, id="missed: nothing wrong, yet no precision"),
        pytest.param(Counts(5, 0, 0), 0.0, 0.0, id="spurious: nothing overlooked, yet no recall"),
    ],
)
def test_precision_and_recall_by_hand(counts, expected_precision, expected_recall):
    assert precision(counts) == expected_precision
    assert recall(counts) == expected_recall


@pytest.mark.parametrize(
    ("counts", "expected_ml", "expected_percent"),
    [
        pytest.param(Counts(30, 10, 10), 20 * 0.25, 100 * 20 / 20, id="three times as large"),
        pytest.param(Counts(10, 30, 10), 20 * 0.25, 100 * 20 / 20, id="a third"),
        pytest.param(Counts(10, 10, 0), 0.0, 0.0, id="as large, elsewhere"),
        pytest.param(Counts(0, 4, 0), 1.0, 200.0, id="missed"),
        pytest.param(Counts(4, 0, 0), 1.0, 200.0, id="spurious"),
        pytest.param(Counts(0, 0, 0), 0.0, 0.0, id="both empty"),
    ],
)
def test_volume_differences_by_hand(counts, expected_ml, expected_percent):
    assert volume_difference(counts, 0.25) == expected_ml
    assert volume_difference_percent(counts) == expected_percent


def test_dice_and_jaccard_say_the_same_in_two_scales():
    generator = np.random.default_rng(0)
    prediction, reference = generator.random((2, 6, 5, 4)) > 0.5
    counts = count(prediction, reference)
    assert dice(counts) == pytest.approx(2 * jaccard(counts) / (1 + jaccard(counts)))


def test_dice_is_the_harmonic_mean_of_precision_and_recall():
    counts = Counts(prediction=12, reference=20, both=6)
    harmonic = 2 / (1 / precision(counts) + 1 / recall(counts))
    assert dice(counts) == pytest.approx(harmonic) == pytest.approx(12 / 32)
