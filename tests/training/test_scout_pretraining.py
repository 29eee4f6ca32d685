import math

import numpy as np
import pytest
import torch
from torch import nn

from samssl_cli.progress import Silent
from samssl_cli.recipe import PretrainScout
from samssl_cli.training.loop import Hooks, fit
from samssl_cli.training.scout_batches import ScoutBatch
from samssl_cli.training.scout_pretraining import ScoutPretraining, soft_dice_loss


def network():
    """Logit = the mean of nothing but a bias: 0 at first."""
    conv = nn.Conv3d(6, 1, 1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv


def batch(target=None):
    inputs = torch.zeros(1, 6, 2, 2, 2)
    inputs[:, 1, 0] = 1
    target = (inputs[:, 1:2] if target is None else target).clone()
    return ScoutBatch(inputs, target)


def test_dice_of_known_overlaps():
    full, half, none = (
        torch.ones(1, 1, 2, 2, 2),
        torch.zeros(1, 1, 2, 2, 2),
        torch.zeros(1, 1, 2, 2, 2),
    )
    half[:, :, 0] = 1
    assert float(soft_dice_loss(full, full)) == pytest.approx(0, abs=1e-6)
    assert float(soft_dice_loss(full, none)) == pytest.approx(1, abs=1e-6)
    assert float(soft_dice_loss(full, half)) == pytest.approx(1 - 8 / 12, abs=1e-6)
    both = torch.cat([full, full]), torch.cat([full, half])
    assert float(soft_dice_loss(*both)) == pytest.approx((1 - 8 / 12) / 2, abs=1e-6)  # the mean
    assert float(soft_dice_loss(none, none)) == pytest.approx(1, abs=1e-6)


def test_known_values_of_both_terms():
    # p = 1/2 everywhere, 4 of 8 voxels inside: Dice = 2 * 2 / (4 + 4) = 1/2, cross-entropy = ln 2.
    losses = ScoutPretraining(network(), network(), decay=0.9).forward(batch(), 0)
    assert set(losses) == {"dice", "cross-entropy"}
    assert float(losses["dice"].detach()) == pytest.approx(0.5, abs=1e-6)
    assert float(losses["cross-entropy"].detach()) == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("term", ["dice", "cross-entropy"])
def test_each_term_teaches_the_student_and_nobody_else(term):
    student, average = network(), network()
    ScoutPretraining(student, average, decay=0.9).forward(batch(), 0)[term].backward()
    assert float(student.weight.grad[0, 1]) < 0  # more where the mask is
    assert float(student.weight.grad[0, 0]) == 0  # the image is empty
    assert average.weight.grad is None
    assert not average.weight.requires_grad


@pytest.mark.parametrize(("step", "kept"), [(0, 1 / 100), (99, 100 / 199), (10_000, 0.9)])
def test_the_mean_follows_fast_at_first_and_slowly_later(step, kept):
    student, average = network(), network()
    nn.init.ones_(student.bias)
    pretraining = ScoutPretraining(student, average, decay=0.9)
    pretraining.after_step(step)
    assert float(average.bias) == pytest.approx(1 - kept, abs=1e-6)
    assert float(student.bias.detach()) == 1
    assert pretraining.predictor() is average
    assert pretraining.modules() == {"student": student, "average": average}


def test_it_learns_to_trust_a_mask():
    class Same:
        def batch(self, _step):
            return batch()

    options = PretrainScout(steps=60, learning_rate=0.1, mixed_precision=False)
    hooks = Hooks(save=lambda _: None, is_stopping=lambda: False, progress=Silent())
    pretraining = ScoutPretraining(network(), network(), decay=0.9)
    final = fit(
        pretraining, Same(), options=options, seed=0, device=torch.device("cpu"), resume=None,
        hooks=hooks,
    )  # fmt: skip
    assert final.curves["dice"][-1] < 0.2 < 0.45 < final.curves["dice"][0]
    assert final.modules["average"]["weight"][0, 1] > 1
    assert np.isfinite(final.curves["cross-entropy"]).all()
