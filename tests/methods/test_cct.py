from math import exp

import pytest
import torch
from torch import nn

from samssl_cli.methods.cct import CrossConsistency, cross_consistency_loss


def voxel(*probability: float) -> torch.Tensor:
    return torch.tensor(probability).log().view(1, -1, 1, 1, 1)


def test_the_loss_is_the_mean_over_the_decoders_of_the_sum_over_the_classes():
    # (1/4, 3/4) against (1/2, 1/2): 1/16 + 1/16; the second decoder agrees.
    loss = cross_consistency_loss(voxel(0.5, 0.5), [voxel(0.25, 0.75), voxel(0.5, 0.5)])
    assert loss.item() == pytest.approx(1 / 16)


def test_three_classes():
    # (1/2, 1/4, 1/4) against (1/4, 1/4, 1/2): 1/16 + 0 + 1/16.
    loss = cross_consistency_loss(voxel(0.25, 0.25, 0.5), [voxel(0.5, 0.25, 0.25)])
    assert loss.item() == pytest.approx(1 / 8)


def test_gradcheck_and_no_gradient_for_the_target():
    torch.manual_seed(0)
    logits, *auxiliary = (
        torch.randn(2, 3, 1, 2, 2, dtype=torch.double, requires_grad=True) for _ in range(3)
    )
    fixed = logits.detach()
    assert torch.autograd.gradcheck(
        lambda *given: cross_consistency_loss(fixed, list(given)), auxiliary
    )
    cross_consistency_loss(logits, auxiliary).backward()
    assert logits.grad is None
    assert all(one.grad.abs().max() > 1e-3 for one in auxiliary)


def teach(student: nn.Module, **options) -> CrossConsistency:
    return CrossConsistency(student, options, steps=100, num_classes=3)


def test_unlabeled_patches_teach_the_encoder_and_not_the_student_s_decoder(make_unet, make_patches):
    method = teach(make_unet())
    method.forward(make_patches(), 100)["consistency"].backward()

    own = {id(parameter) for parameter in method.decoder.parameters()}
    encoder = [p for p in method.student.parameters() if id(p) not in own]
    assert all(p.grad is None for p in method.decoder.parameters())
    assert all(p.grad is not None for p in encoder)
    assert any(p.grad.abs().max() > 1e-6 for p in encoder)
    assert all(p.grad is not None for p in method.branches.parameters())


def test_each_disturbance_has_a_decoder_of_its_own(make_unet, make_patches):
    method = teach(make_unet(), perturbations=["drop", "noise"])
    assert len(method.branches) == 2
    first, second = (list(branch.parameters()) for branch in method.branches)
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_student_itself_sees_undisturbed_features(make_unet, make_patches):
    method, batch = teach(make_unet()), make_patches()
    torch.manual_seed(1)
    first = method.forward(batch, 100)
    torch.manual_seed(2)
    second = method.forward(batch, 100)
    assert first["supervised"].item() == second["supervised"].item()
    assert first["consistency"].item() != second["consistency"].item()


def test_without_unlabeled_patches_there_is_nothing_to_agree_on(make_unet, make_patches):
    assert set(teach(make_unet()).forward(make_patches(0), 100)) == {"supervised"}


@pytest.mark.parametrize(
    ("step", "expected"), [(0, exp(-5)), (5, exp(-1.25)), (10, 1.0), (99, 1.0)]
)
def test_the_weight_ramps_up_over_a_tenth_of_the_steps(step, expected, make_unet):
    assert teach(make_unet()).weight_at(step) == pytest.approx(1.43 * expected)
