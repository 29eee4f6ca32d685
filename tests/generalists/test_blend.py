import numpy as np
import pytest

from samssl_cli.generalists.blend import blend
from samssl_cli.generalists.fuse import Fused

MASK = np.array([True, True, False, False]).reshape(4, 1, 1)
NAN = float("nan")


def fused(*values: float, iou: float = NAN, std: float = 0.0) -> Fused:
    probability = np.array(values, np.float32).reshape(4, 1, 1)
    return Fused(probability, np.full_like(probability, std), iou)


def test_a_single_answer_comes_back_as_it_is():
    one = fused(0.9, 0.8, 0.1, 0.1)
    assert blend([one], MASK) is one


def test_where_nobody_was_asked_it_is_the_specialists_mask():
    found = blend([], MASK)
    assert found.probability.dtype == np.float32
    np.testing.assert_array_equal(found.probability, MASK)
    assert not found.disagreement.any()
    assert np.isnan(found.predicted_iou)


def test_predicted_iou_weighs_where_all_can_say_it():
    # 0.9 and 0.3, so 3 to 1.
    found = blend([fused(1, 1, 0, 0, iou=0.9), fused(0, 0, 0, 1, iou=0.3)], MASK)
    np.testing.assert_allclose(found.probability.ravel(), [0.75, 0.75, 0, 0.25], rtol=1e-6)
    assert found.predicted_iou == pytest.approx(0.6)


def test_agreement_weighs_where_one_cannot():
    # Dice 1 and 0.5: 2 to 1, whatever the first promises.
    found = blend([fused(1, 1, 0, 0, iou=0.1), fused(1, 0, 1, 0)], MASK)
    np.testing.assert_allclose(found.probability.ravel(), [1, 2 / 3, 1 / 3, 0], rtol=1e-6)
    assert found.predicted_iou == pytest.approx(0.1)


def test_answers_that_all_miss_are_averaged():
    found = blend([fused(0, 0, 0, 0), fused(0, 0, 1, 1)], MASK)
    np.testing.assert_allclose(found.probability.ravel(), [0, 0, 0.5, 0.5])


def test_disagreement_is_within_and_between_them():
    # Equal weights: variance 0.1² within, 0.25² between where one says 1 and the other 0.5.
    found = blend([fused(1, 1, 0, 0, std=0.1), fused(0.5, 1, 0, 0, std=0.1)], MASK)
    weights = np.array([1, 2 / 3]) / (1 + 2 / 3)  # Dice 1 and 2 / 3: 0.5 is not inside
    mean = weights @ [1, 0.5]
    between = weights @ (np.array([1, 0.5]) - mean) ** 2
    assert found.disagreement.ravel() == pytest.approx(
        [np.sqrt(0.01 + between), 0.1, 0.1, 0.1], rel=1e-4
    )
    assert found.probability.dtype == np.float32
