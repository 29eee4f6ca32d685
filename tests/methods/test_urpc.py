from math import exp, log

import pytest
import torch
from torch import nn

from samssl_cli.methods.urpc import PyramidConsistency, pyramid_losses
from samssl_cli.networks import build_network
from samssl_cli.recipe import Network


def voxels(*values: tuple[float, ...]) -> torch.Tensor:
    """Logits with these probabilities, a voxel each: (1, classes, 1, 1, N)."""
    return torch.tensor(values).T[None, :, None, None, :].log()


# Two scales say (1/4, 3/4) and (3/4, 1/4); their mean is (1/2, 1/2). For both,
# D = 1/4 ln(1/2) + 3/4 ln(3/2).
DIVERGENCE = 0.25 * log(0.5) + 0.75 * log(1.5)


def test_two_scales_in_one_voxel():
    # With one voxel the weight cancels: ((1/4)^2 + (1/4)^2) / 2 = 1/16.
    consistency, uncertainty = pyramid_losses([voxels((0.25, 0.75)), voxels((0.75, 0.25))])
    assert consistency.item() == pytest.approx(1 / 16)
    assert uncertainty.item() == pytest.approx(DIVERGENCE)


def test_voxels_where_the_scales_differ_count_less():
    # In the second voxel both say (1/2, 1/2): no error, and weight 1 against exp(-D).
    first = voxels((0.25, 0.75), (0.5, 0.5))
    second = voxels((0.75, 0.25), (0.5, 0.5))
    consistency, uncertainty = pyramid_losses([first, second])
    weight = exp(-DIVERGENCE)
    assert consistency.item() == pytest.approx(weight / 16 / (weight + 1))
    assert uncertainty.item() == pytest.approx(DIVERGENCE / 2)


def test_the_divergence_is_not_the_reverse_one():
    # p = (1/2, 1/2) and q = (1, 0), mean (3/4, 1/4).
    # KL(scale || mean): 1/2 ln(2/3) + 1/2 ln 2 = 0.1438 and ln(4/3) = 0.2877, mean 0.2158.
    # The reverse of q would be infinite.
    _, uncertainty = pyramid_losses([voxels((0.5, 0.5)), voxels((1.0, 1e-30))])
    expected = (0.5 * log(2 / 3) + 0.5 * log(2) + log(4 / 3)) / 2
    assert uncertainty.item() == pytest.approx(expected)


def test_scales_that_agree_cost_nothing():
    one = voxels((0.2, 0.3, 0.5))
    assert [loss.item() for loss in pyramid_losses([one, one, one])] == pytest.approx([0, 0])


def test_every_scale_gets_the_gradient():
    torch.manual_seed(0)
    scales = [torch.randn(2, 3, 1, 2, 2, dtype=torch.double, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(lambda *given: pyramid_losses(given), scales)
    sum(pyramid_losses(scales)).backward()
    assert all(scale.grad.abs().max() > 1e-4 for scale in scales)


def test_logits_far_out_keep_losses_and_gradients_finite():
    scales = [torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4])]
    scales = [scale.view(1, 2, 1, 1, 1).requires_grad_() for scale in scales]
    losses = pyramid_losses(scales)
    sum(losses).backward()
    # Their mean is (1/2, 1/2): error 1/4, divergence ln 2.
    assert [loss.item() for loss in losses] == pytest.approx([1 / 4, log(2)])
    assert all(scale.grad.isfinite().all() for scale in scales)


def teach(student: nn.Module, **options) -> PyramidConsistency:
    return PyramidConsistency(student, options, steps=100, num_classes=3)


@pytest.mark.parametrize(
    ("network", "channels", "wanted", "expected"),
    [
        pytest.param("unet", (2, 3, 4), 4, [2, 4], id="unet-of-three-levels"),  # up, bottom
        pytest.param("unet", (2, 3, 4, 5, 6), 4, [2, 3, 4], id="unet-of-five-levels"),
        pytest.param("vnet", (2,), 4, [8, 16, 32], id="vnet"),
        pytest.param("segresnet", (2,), 3, [4, 8], id="segresnet-three-scales"),
    ],
)
def test_the_finest_scales_get_a_head_each(network, channels, wanted, expected):
    options = Network(name=network, channels=channels, norm="batch")
    student = build_network(options, in_channels=1, num_classes=3)
    method = teach(student, num_scales=wanted)
    assert [head.in_channels for head in method.branches] == expected


def test_every_output_has_the_size_of_the_patch(make_unet, make_patches):
    method, batch = teach(make_unet()), make_patches()
    outputs = method.outputs(method.look(batch))
    assert [tuple(one.shape) for one in outputs] == [(3, 3, 8, 4, 4)] * 3
    assert torch.equal(outputs[0], method.look(batch).logits)


def test_agreement_is_asked_for_on_unlabeled_patches(make_unet, make_patches):
    method = teach(make_unet())
    assert set(method.forward(make_patches(0), 100)) == {"supervised"}
    assert set(method.forward(make_patches(), 100)) == {"supervised", "consistency", "uncertainty"}


@pytest.mark.parametrize(("step", "expected"), [(0, 0.1 * exp(-5)), (100, 0.1)])
def test_the_weight_of_the_agreement(step, expected, make_unet):
    assert teach(make_unet()).weight_at(step) == pytest.approx(expected)
