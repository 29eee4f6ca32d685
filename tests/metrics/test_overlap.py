import numpy as np
import pytest

from samssl_cli.metrics.overlap import dice, jaccard


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
    assert dice(prediction, reference) == pytest.approx(expected_dice)
    assert jaccard(prediction, reference) == pytest.approx(expected_jaccard)
    assert type(dice(prediction, reference)) is float


def test_dice_and_jaccard_say_the_same_in_two_scales():
    generator = np.random.default_rng(0)
    prediction, reference = generator.random((2, 6, 5, 4)) > 0.5
    overlap = jaccard(prediction, reference)
    assert dice(prediction, reference) == pytest.approx(2 * overlap / (1 + overlap))
