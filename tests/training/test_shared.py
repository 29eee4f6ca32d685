"""A pass that is shared by forked ranks, against the same pass of one process."""

import os

import numpy as np
import pytest
import torch
from torch import nn

from samssl_cli.methods import METHODS
from samssl_cli.methods.method import PseudoLabelTerm
from samssl_cli.progress import Silent
from samssl_cli.recipe import Augmentation, Training
from samssl_cli.registry import load
from samssl_cli.training.batches import PatchStreams
from samssl_cli.training.loop import Hooks, fit
from samssl_cli.training.shared import share_passes
from samssl_cli.training.team import Team, join

CPU = torch.device("cpu")


def team():
    rank, size = (int(os.environ.get(name, n)) for name, n in (("RANK", 0), ("WORLD_SIZE", 1)))
    return Team() if size == 1 else join(rank, size, CPU, timeout_s=60)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.Dropout(0.3),
        nn.Dropout3d(0.3), nn.Conv3d(4, 2, 1),
    )  # fmt: skip


def passes(count):
    """What a pass over `count` patches, and one after it, give and leave behind."""
    us, net = team(), network()
    share_passes({"net": net}, us)
    torch.manual_seed(1)
    images = torch.randn(count, 1, 3, 4, 5, requires_grad=True)
    first = net(images)
    second = net(first[:, :1].sigmoid())  # on the way back, a gradient goes through an input
    ((first - second) ** 2).sum().backward()
    us.add_up_gradients(net.parameters())
    return {
        "first": first.detach().numpy(),
        "second": second.detach().numpy(),
        "images": images.grad.numpy(),
        "next random number": torch.rand(1).numpy(),
        **{name: value.numpy() for name, value in net.state_dict().items()},
        **{f"d {name}": value.grad.numpy() for name, value in net.named_parameters()},
    }


@pytest.mark.parametrize(("size", "count"), [(2, 4), (2, 5), (2, 1), (3, 2)])
def test_a_shared_pass_is_the_pass_of_one(size, count, on_ranks):
    one = passes(count)
    for found in on_ranks(size, lambda: passes(count)).answers():
        assert found.keys() == one.keys()
        for name, value in one.items():
            np.testing.assert_allclose(found[name], value, atol=2e-4, rtol=1e-4, err_msg=name)


def test_a_network_alone_is_left_as_it_is():
    net = network()
    share_passes({"net": net}, Team())
    assert not any("forward" in vars(module) for module in net)
    assert not net._forward_hooks


@pytest.mark.parametrize("name", [name for name in METHODS if not METHODS[name].needs_decoder])
def test_every_method_that_is_shared_has_the_curves_of_one(name, labeled, pseudo_labeled, on_ranks):
    training = Training(
        steps=4,
        patch_size=(8, 8, 8),
        labeled_batch=1,
        unlabeled_batch=2,
        optimizer="sgd",
        learning_rate=0.1,
    )
    term = PseudoLabelTerm("dice-ce", weight=1.0, schedule="constant", ramp_steps=0)

    def trained():
        method = load(METHODS, name, kind="method")(network(), {}, steps=4, pseudo_term=term)
        augmentation = Augmentation(flip_axes=(0,))
        streams = PatchStreams(
            labeled, pseudo_labeled, options=training, augmentation=augmentation, seed=3, device=CPU
        )
        hooks = Hooks(save=lambda state: None, is_stopping=lambda: False, progress=Silent())
        final = fit(
            method,
            streams,
            options=training,
            seed=3,
            device=CPU,
            resume=None,
            hooks=hooks,
            team=team(),
        )
        return final.curves, final.modules

    curves, modules = trained()
    first, second = on_ranks(2, trained).answers()
    np.testing.assert_equal(first, second)  # all ranks hold the same bits
    for alone, shared in ((curves, first[0]), *((modules[m], first[1][m]) for m in modules)):
        assert alone.keys() == shared.keys()
        for key, value in alone.items():
            np.testing.assert_allclose(shared[key], value, atol=2e-5, err_msg=key)
