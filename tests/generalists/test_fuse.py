import numpy as np
import pytest

from samssl_cli.generalists.fuse import fuse
from samssl_cli.generalists.types import Proposal


def _proposal(*logits: float, iou: list[float]) -> Proposal:
    values = np.array(logits, np.float32).reshape(-1, 1, 1, 1)
    return Proposal(values, np.array(iou, np.float32))


def test_probabilities_are_averaged_not_logits():
    fused = fuse(_proposal(-np.log(3), np.log(3), iou=[0.5, 0.9]))  # probabilities 1/4 and 3/4

    assert fused.probability.item() == pytest.approx(0.5)
    assert fused.disagreement.item() == pytest.approx(0.25)
    assert fused.predicted_iou == pytest.approx(0.7)
    assert fused.probability.dtype == fused.disagreement.dtype == np.float32


def test_a_single_answer_agrees_with_itself_and_an_unknown_quality_stays_unknown():
    fused = fuse(_proposal(20.0, iou=[float("nan")]))

    assert fused.disagreement.item() == 0
    assert np.isnan(fused.predicted_iou)


def test_known_qualities_are_averaged_over_those_that_are_known():
    assert fuse(_proposal(0, 0, iou=[float("nan"), 0.8])).predicted_iou == pytest.approx(0.8)
