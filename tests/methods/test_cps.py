from math import log

import pytest
import torch

from samssl_cli.methods.cps import CrossPseudoSupervision, cross_supervision
from samssl_cli.methods.method import PseudoLabel, PseudoLabelTerm


@pytest.fixture
def pair(quarter, constant) -> CrossPseudoSupervision:
    """The student says (1/4, 3/4) and decides for 1, the second (1/2, 1/2) and decides for 0."""
    method = CrossPseudoSupervision(quarter, {}, steps=100)
    method.second.load_state_dict(constant(0.0, 0.0).state_dict())
    return method


def test_each_network_is_held_to_the_decision_of_the_other(pair, make_batch):
    losses = pair.forward(make_batch(), 0)
    # The student pays -ln 1/4, the second -ln 1/2; on labeled and unlabeled patches.
    assert losses["consistency"].item() == pytest.approx(1.5 * 2 * (log(4) + log(2)))
    # dice_ce of (1/4, 3/4) and of (1/2, 1/2) with label 1: the Dice of 1/2 is 1/3
    supervised = log(4 / 3) + 1 / 7 + log(2) + 1 / 3
    assert losses["supervised"].item() == pytest.approx(supervised, abs=1e-4)


def test_no_gradient_flows_through_a_decision(pair, make_batch):
    pair.forward(make_batch(), 0)["consistency"].backward()
    # Cross-entropy alone: 3 * (p - one hot) of (1/4, 3/4) with class 0, and of (1/2, 1/2) with 1
    assert pair.student.logits.grad.tolist() == pytest.approx([-2.25, 2.25])
    assert pair.second.logits.grad.tolist() == pytest.approx([1.5, -1.5])


def test_both_networks_are_trained_and_either_predicts(pair, quarter, make_batch):
    assert pair.trained() == pair.modules() == {"student": quarter, "second": pair.second}
    assert pair.predictor() is quarter
    other = CrossPseudoSupervision(quarter, {"predict_with": "second"}, steps=1)
    assert other.predictor() is other.second


def test_without_unlabeled_patches_the_labeled_ones_remain(pair, make_batch):
    losses = pair.forward(make_batch(torch.zeros(0, 1, 1, 1, 2)), 0)
    assert losses["consistency"].item() == pytest.approx(1.5 * (log(4) + log(2)))


def test_pseudo_labels_teach_both(pair, make_batch):
    pair.pseudo_term = PseudoLabelTerm("mse", 1.0, "constant", 1)
    probability = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 1, 2)
    pseudo = PseudoLabel(probability, torch.ones(1, 1, 1, 2))
    losses = pair.forward(make_batch(pseudo=pseudo), 0)
    assert losses["sam"].item() == pytest.approx(1 / 16 + 1 / 4)


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    logits = [torch.randn(2, 3, 1, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(cross_supervision, logits)
