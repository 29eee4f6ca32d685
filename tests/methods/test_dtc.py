from math import exp, log

import pytest
import torch

from samssl_cli.methods.dtc import DualTaskConsistency, dual_task_loss
from samssl_cli.methods.signed_distance import signed_distances


def test_the_loss_compares_the_way_back_with_the_label_map():
    # sigmoid(-2 * T) of T = -ln(3)/2 and +ln(3)/2 is 3/4 and 1/4; the label map says 1/2 twice.
    distance = torch.tensor([-log(3) / 2, log(3) / 2]).view(1, 2, 1, 1, 1)
    loss = dual_task_loss(distance, torch.zeros(1, 2, 1, 1, 1), steepness=2.0)
    assert loss.item() == pytest.approx(1 / 16)


def test_both_heads_get_the_gradient():
    torch.manual_seed(0)
    distance = torch.rand(2, 3, 1, 2, 2, dtype=torch.double, requires_grad=True)
    logits = torch.randn(2, 3, 1, 2, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda d, p: dual_task_loss(d, p, steepness=1.5), (distance, logits)
    )
    dual_task_loss(distance, logits, steepness=1.5).backward()
    assert distance.grad.abs().min() > 1e-4
    assert logits.grad.abs().max() > 1e-3


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_paper_s_steepness_keeps_loss_and_gradient_finite(sign):
    distance = torch.full((1, 2, 1, 1, 1), sign, requires_grad=True)
    loss = dual_task_loss(distance, torch.zeros(1, 2, 1, 1, 1), steepness=1500.0)
    loss.backward()
    assert loss.item() == pytest.approx(1 / 4)
    assert distance.grad.isfinite().all()


def teach(make_unet, **options) -> DualTaskConsistency:
    return DualTaskConsistency(make_unet(), options, steps=100, num_classes=3)


def test_the_distances_of_labeled_patches_are_learned(make_unet, make_patches):
    method, batch = teach(make_unet), make_patches()
    losses = method.forward(batch, 100)
    with torch.no_grad():
        seen = method.look(batch)
        distance = torch.tanh(method.branches(seen.features[-1]))[:1]
    target = signed_distances(batch.label, 3)
    assert set(losses) == {"supervised", "distance", "consistency"}
    assert losses["distance"].item() == pytest.approx(
        0.3 * (distance - target).square().mean().item(), rel=1e-4
    )


@pytest.mark.parametrize(("step", "expected"), [(0, exp(-5)), (50, exp(-1.25)), (100, 1.0)])
def test_the_weight_of_the_consistency(step, expected, make_unet):
    assert teach(make_unet).weight_at(step) == pytest.approx(expected)


def test_labeled_patches_have_to_be_consistent_too(make_unet, make_patches):
    assert teach(make_unet).forward(make_patches(0), 100)["consistency"].item() > 0


def test_the_second_head_starts_with_other_weights(make_unet):
    method = teach(make_unet)
    own, students = method.branches.state_dict(), method.decoder.head.state_dict()
    assert own.keys() == students.keys()
    assert any(not torch.equal(own[key], students[key]) for key in own)
