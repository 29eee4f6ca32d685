from math import exp, log

import pytest
import torch
from torch import nn

from samssl_cli.methods.losses import dice_ce, one_hot
from samssl_cli.methods.mc_net import MutualConsistency, mutual_loss, sharpened


def voxel(*probability: float) -> torch.Tensor:
    return torch.tensor(probability).log().view(1, -1, 1, 1, 1)


def test_sharpening_is_a_power_of_the_probabilities():
    # (1/4, 3/4) squared: (1/16, 9/16) / (10/16).
    assert sharpened(voxel(0.25, 0.75), 0.5).ravel().tolist() == pytest.approx([0.1, 0.9])
    # Three classes: (1, 4, 25) / 30.
    found = sharpened(voxel(0.125, 0.25, 0.625), 0.5)
    assert found.ravel().tolist() == pytest.approx([1 / 30, 4 / 30, 25 / 30])


def test_each_decoder_is_held_to_the_other_s_sharpened_prediction():
    # (1/4, 3/4) against (0.9, 0.1) and (3/4, 1/4) against (0.1, 0.9): 0.65^2 each.
    loss = mutual_loss([voxel(0.25, 0.75), voxel(0.75, 0.25)], temperature=0.5)
    assert loss.item() == pytest.approx(2 * 0.65**2)


def test_three_decoders_make_six_pairs():
    # Without sharpening two agree; (1/4, 3/4) and (3/4, 1/4) differ by 1/2: four pairs of 1/4.
    outputs = [voxel(0.25, 0.75), voxel(0.25, 0.75), voxel(0.75, 0.25)]
    assert mutual_loss(outputs, temperature=1.0).item() == pytest.approx(4 / 4)


def test_the_gradient_stops_at_the_targets():
    first = voxel(0.25, 0.75).requires_grad_()
    second = voxel(0.6, 0.4).requires_grad_()
    mutual_loss([first, second], temperature=0.5).backward()

    # As if the target of the first were a number: the published code would add more.
    alone = voxel(0.25, 0.75).requires_grad_()
    target = sharpened(second.detach(), 0.5)
    (alone.softmax(dim=1) - target).square().mean().backward()
    assert torch.allclose(first.grad, alone.grad)
    assert first.grad.abs().min() > 1e-2


def test_gradcheck():
    # Against finite differences the targets have to stay put: those of the starting point.
    torch.manual_seed(0)
    outputs = [torch.randn(2, 3, 1, 2, 1, dtype=torch.double, requires_grad=True) for _ in range(2)]
    targets = [sharpened(one.detach(), 0.5) for one in outputs]

    def held(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        pairs = ((first, targets[1]), (second, targets[0]))
        return sum((one.softmax(dim=1) - target).square().mean() for one, target in pairs)

    assert torch.autograd.gradcheck(held, outputs)
    mutual_loss(outputs, temperature=0.5).backward()
    found = [one.grad.clone() for one in outputs]
    expected = torch.autograd.grad(held(*outputs), outputs)
    assert all(torch.allclose(a, b) for a, b in zip(found, expected, strict=True))


def test_the_paper_s_temperature_keeps_loss_and_gradient_finite():
    outputs = [torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4])]
    outputs = [one.view(1, 2, 1, 1, 1).requires_grad_() for one in outputs]
    loss = mutual_loss(outputs, temperature=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(2.0)  # wrong by 1 in both classes, two pairs
    assert all(one.grad.isfinite().all() for one in outputs)


def teach(student: nn.Module, **options) -> MutualConsistency:
    return MutualConsistency(student, options, steps=100, num_classes=3)


def test_the_decoders_share_an_encoder_and_upsample_differently(make_unet):
    method = teach(make_unet())
    modes = [
        {part.mode for part in branch.modules() if isinstance(part, nn.Upsample)}
        for branch in method.branches
    ]
    assert modes == [{"trilinear"}, {"nearest"}]
    students = {id(parameter) for parameter in method.student.parameters()}
    assert not students & {id(parameter) for parameter in method.branches.parameters()}


def test_the_supervised_loss_is_half_the_sum_over_the_decoders(make_unet, make_patches):
    method, batch = teach(make_unet(), upsampling=["linear"]), make_patches()
    losses = method.forward(batch, 0)
    outputs = method.outputs(method.look(batch))
    target = one_hot(batch.label, 3)
    expected = sum(dice_ce(one[:1], target).item() for one in outputs) / 2
    assert len(outputs) == 2
    assert losses["supervised"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, exp(-5)), (20, exp(-1.25)), (40, 1.0), (99, 1.0)]
)
def test_the_weight_of_the_consistency(step, expected, make_unet):
    assert teach(make_unet()).weight_at(step) == pytest.approx(expected)


def test_labeled_patches_have_to_be_consistent_too(make_unet, make_patches):
    assert teach(make_unet()).forward(make_patches(0), 100)["consistency"].item() > 0


def test_three_quarters_sharpen_towards_one():
    # T = 0.1: (3/4)^10 / ((3/4)^10 + (1/4)^10) = 1 / (1 + 3^-10)
    assert sharpened(voxel(0.25, 0.75), 0.1)[0, 1].item() == pytest.approx(
        1 / (1 + exp(-10 * log(3)))
    )
