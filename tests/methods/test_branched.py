"""What every method with branches keeps to."""

import pytest
import torch
from torch import nn

from samssl_cli.errors import RecipeError
from samssl_cli.methods import METHODS
from samssl_cli.methods.branched import Branched
from samssl_cli.methods.method import PseudoLabelTerm
from samssl_cli.networks import build_network, size_multiple
from samssl_cli.recipe import Network
from samssl_cli.registry import load

TERM = PseudoLabelTerm("dice-ce", weight=2.0, schedule="constant", ramp_steps=0)
EVERY = pytest.mark.parametrize("name", [n for n in METHODS if METHODS[n].needs_decoder])


def build(name: str, student: nn.Module, **more) -> Branched:
    torch.manual_seed(1)
    method = load(METHODS, name, kind="method")(student, {}, steps=100, num_classes=3, **more)
    assert isinstance(method, Branched)
    return method


@EVERY
def test_losses_are_finite_scalars_also_for_a_class_that_no_patch_has(
    name, make_unet, make_patches
):
    losses = build(name, make_unet()).forward(make_patches(), 100)
    assert all(loss.isfinite() and loss.shape == () for loss in losses.values())
    assert losses["consistency"].item() > 0


@EVERY
def test_without_unlabeled_patches_the_labeled_ones_teach(name, make_unet, make_patches):
    method = build(name, make_unet())
    losses = method.forward(make_patches(0), 100)
    torch.stack(list(losses.values())).sum().backward()

    assert all(loss.isfinite() for loss in losses.values())
    gradients = [p.grad for p in method.student.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)


@EVERY
def test_every_weight_of_the_student_and_its_branches_learns(name, make_unet, make_patches):
    method = build(name, make_unet(), pseudo_term=TERM)
    losses = method.forward(make_patches(has_pseudo=True), 100)
    torch.stack(list(losses.values())).sum().backward()

    for module in method.trained().values():
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
        assert any(p.grad.abs().max() > 0 for p in module.parameters())


@EVERY
def test_pseudo_labels_teach_in_proportion_to_their_weight(name, make_unet, make_patches):
    def gradient(weight: float) -> torch.Tensor:
        term = PseudoLabelTerm("mse", weight=weight, schedule="constant", ramp_steps=0)
        method = build(name, make_unet(), pseudo_term=term)
        torch.manual_seed(2)
        method.forward(make_patches(has_pseudo=True), 100)["sam"].backward()
        return torch.cat([p.grad.flatten() for p in method.student.parameters()])

    assert gradient(1.0).abs().max() > 1e-4
    assert torch.allclose(gradient(3.0), 3 * gradient(1.0), atol=1e-5)


@EVERY
@pytest.mark.parametrize("loss", ["mse", "ce", "dice-ce"])
def test_pseudo_labels_that_are_not_believed_teach_nothing(name, loss, make_unet, make_patches):
    term = PseudoLabelTerm(loss, weight=1.0, schedule="constant", ramp_steps=0)
    method, batch = build(name, make_unet(), pseudo_term=term), make_patches(has_pseudo=True)
    batch.pseudo.confidence.zero_()
    method.forward(batch, 100)["sam"].backward()
    assert all((p.grad == 0).all() for p in method.student.parameters())


@EVERY
@pytest.mark.parametrize("network", ["unet", "vnet", "segresnet"])
def test_all_networks_can_be_trained_and_stay_the_plain_network(name, network, make_patches):
    options = Network(name=network, channels=(2, 2), norm="batch")
    torch.manual_seed(0)
    student = build_network(options, in_channels=1, num_classes=3)
    names = list(student.state_dict())
    method = build(name, student)
    side = size_multiple(options)
    small = make_patches(1)
    grown = {
        key: getattr(small, key).repeat_interleave(side, dim=-1).repeat_interleave(side, dim=-2)
        .repeat_interleave(max(side // 4, 1), dim=-3)
        for key in ("labeled_image", "label", "unlabeled_image", "unlabeled_plain")
    }  # fmt: skip
    losses = method.forward(type(small)(**grown), 100)

    assert all(loss.isfinite() for loss in losses.values())
    assert method.predictor() is student
    assert list(student.state_dict()) == names
    assert set(method.modules()) == {"student", "branches"}


@EVERY
def test_a_student_that_cannot_be_taken_apart_is_refused(name):
    with pytest.raises(RecipeError, match="Conv3d has no encoder and decoder"):
        build(name, nn.Conv3d(1, 3, 1))
