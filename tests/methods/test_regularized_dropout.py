from math import log

import pytest
import torch
from torch import Tensor, nn

from samssl_cli.methods.losses import symmetric_divergence
from samssl_cli.methods.regularized_dropout import RegularizedDropout


class TwoMinds(nn.Module):
    """(1/4, 3/4) for the first half of a batch and (1/2, 1/2) for the second one."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([[0.0, log(3)], [0.0, 0.0]]))

    def forward(self, image: Tensor) -> Tensor:
        first, second = self.logits.view(2, 1, 2, 1, 1, 1)
        half = [len(image) // 2, -1, *image.shape[2:]]
        return torch.cat([first.expand(half), second.expand(half)])


def test_both_passes_are_held_together(make_batch):
    losses = RegularizedDropout(TwoMinds(), {}, steps=100).forward(make_batch(), 100)
    # sum (p - q)(ln p - ln q) / 2 = (1/4 ln 2 + 1/4 ln 3/2) / 2 = ln 3 / 8
    assert losses["consistency"].item() == pytest.approx(4 * log(3) / 8)
    # the mean of dice_ce of (1/4, 3/4) and of (1/2, 1/2), with label 1
    supervised = (log(4 / 3) + 1 / 7 + log(2) + 1 / 3) / 2
    assert losses["supervised"].item() == pytest.approx(supervised, abs=1e-4)


def test_the_gradient_flows_to_both_passes(make_batch):
    student = TwoMinds()
    method = RegularizedDropout(student, {}, steps=100)
    method.forward(make_batch(), 100)["consistency"].backward()
    assert (student.logits.grad[:, 1] * torch.tensor([1, -1]) > 0.01).all()  # towards each other


def test_dropout_is_what_makes_the_passes_differ(make_batch):
    torch.manual_seed(0)
    image = torch.randn(1, 1, 4, 4, 4)
    label = torch.ones(1, 4, 4, 4, dtype=torch.int64)
    batch = make_batch(image)
    batch = type(batch)(image, label, image, image)
    for rate, is_idle in ((0.0, True), (0.5, False)):
        student = nn.Sequential(nn.Conv3d(1, 8, 1), nn.Dropout(rate), nn.Conv3d(8, 2, 1))
        losses = RegularizedDropout(student, {}, steps=1).forward(batch, 1)
        assert (losses["consistency"].item() == 0) == is_idle


def test_the_divergence_is_over_the_classes():
    # SSL4MIS normalises along the last axis: shifting a class everywhere would change nothing.
    first = torch.zeros(1, 2, 1, 1, 4)
    second = first.clone()
    second[:, 1] = log(3)
    assert symmetric_divergence(first, second).item() == pytest.approx(log(3) / 8)


def test_agreement_of_any_confidence_costs_nothing():
    logits = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1, 1)
    assert symmetric_divergence(logits, logits + 3).item() == 0


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    logits = [torch.randn(2, 3, 1, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(symmetric_divergence, logits)
