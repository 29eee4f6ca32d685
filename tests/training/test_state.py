import numpy as np
import pytest
import torch
from torch import nn

from samssl_cli.recipe import Training
from samssl_cli.training.optimization import build_optimizer
from samssl_cli.training.state import restore, take_snapshot


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.BatchNorm3d(2), nn.Conv3d(2, 1, 1))


def take_steps(module: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        optimizer.zero_grad()
        module(torch.randn(1, 1, 4, 4, 4)).square().mean().backward()
        optimizer.step()


def no_scaler() -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", enabled=False)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_what_follows_a_restored_snapshot_is_what_would_have_followed(name):
    options = Training(optimizer=name, learning_rate=0.1)
    whole, resumed = network(0), network(1)
    optimizer = build_optimizer(whole.parameters(), options)
    take_steps(whole, optimizer, range(3))
    curves = {"loss": np.array([3, 2, 1, np.nan], np.float32)}
    snapshot = take_snapshot({"net": whole}, optimizer, no_scaler(), step=3, curves=curves)
    take_steps(whole, optimizer, range(3, 6))

    other = build_optimizer(resumed.parameters(), options)
    restore(snapshot, {"net": resumed}, other, no_scaler())
    take_steps(resumed, other, range(3, 6))

    assert snapshot.step == 3
    assert snapshot.curves["loss"].tolist() == [3, 2, 1]  # of the steps that were done
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in resumed.state_dict().items())


def test_a_snapshot_does_not_change_with_the_run():
    module = network(0)
    optimizer = build_optimizer(module.parameters(), Training())
    take_steps(module, optimizer, range(1))
    curve = np.ones(2, np.float32)
    snapshot = take_snapshot({"net": module}, optimizer, no_scaler(), step=1, curves={"a": curve})
    weights = {key: value.copy() for key, value in snapshot.modules["net"].items()}
    moments = {key: value.copy() for key, value in snapshot.optimizer.items()}

    take_steps(module, optimizer, range(1, 3))
    curve[:] = 0

    assert all((snapshot.modules["net"][key] == value).all() for key, value in weights.items())
    assert all((snapshot.optimizer[key] == value).all() for key, value in moments.items())
    assert snapshot.curves["a"].tolist() == [1]


def test_the_state_of_a_gradient_scaler_survives():
    module = network(0)
    optimizer = build_optimizer(module.parameters(), Training())
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0, growth_interval=7)
    snapshot = take_snapshot({"net": module}, optimizer, scaler, step=0, curves={})

    fresh = torch.amp.GradScaler("cpu")
    restore(snapshot, {"net": module}, optimizer, fresh)

    assert fresh.get_scale() == 128.0
    assert fresh.state_dict() == scaler.state_dict()


def test_weights_of_another_network_are_refused():
    module, other = network(0), nn.Conv3d(1, 1, 1)
    optimizer = build_optimizer(module.parameters(), Training())
    snapshot = take_snapshot({"net": module}, optimizer, no_scaler(), step=0, curves={})
    with pytest.raises(ValueError, match="net are those of another network"):
        restore(snapshot, {"net": other}, optimizer, no_scaler())


def change(key, value):
    """A snapshot of AdamW after a step in which one array is another; None for none."""
    module = network(0)
    optimizer = build_optimizer(module.parameters(), Training(optimizer="adamw"))
    take_steps(module, optimizer, range(1))
    curves = {"a": np.ones(1, np.float32)}
    taken = take_snapshot({"net": module}, optimizer, no_scaler(), step=1, curves=curves)
    part, _, name = key.partition(":")
    place = {"net": taken.modules["net"], "optimizer": taken.optimizer, "curves": taken.curves}
    if value is None:
        del place[part][name]
    else:
        place[part][name] = value
    return taken, module, optimizer


OTHERS = {
    "a weight of another shape": ("net:0.weight", np.zeros((2, 1, 3, 3), np.float32)),
    "a weight less": ("net:0.weight", None),
    "a weight more": ("net:9.weight", np.zeros(1, np.float32)),
    "a moment of another shape": ("optimizer:0.exp_avg", np.zeros(2, np.float32)),
    "a moment less": ("optimizer:0.exp_avg", None),
    "a moment of no parameter": ("optimizer:99.exp_avg", np.zeros(2, np.float32)),
    "a moment of no number": ("optimizer:x.exp_avg", np.zeros(2, np.float32)),
    "an unknown quantity": ("optimizer:0.x", np.zeros((2, 1, 3, 3, 3), np.float32)),
    "a step before the first": ("optimizer:0.step", np.array(-1, np.float32)),
    "a curve of two steps": ("curves:a", np.ones(2, np.float32)),
    "a curve of texts": ("curves:a", np.array(["1"])),
}


@pytest.mark.parametrize(("key", "value"), OTHERS.values(), ids=OTHERS)
def test_a_snapshot_of_another_training_is_refused_before_it_changes_anything(key, value):
    snapshot, module, optimizer = change(key, value)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises((ValueError, LookupError)):
        restore(snapshot, {"net": module}, optimizer, no_scaler())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_every_optimiser_keeps_what_a_snapshot_is_compared_with():
    for name in ("adamw", "sgd"):
        for momentum in (0.0, 0.9):
            module = network(0)
            options = Training(optimizer=name, momentum=momentum)
            optimizer = build_optimizer(module.parameters(), options)
            take_steps(module, optimizer, range(1))
            taken = take_snapshot({"net": module}, optimizer, no_scaler(), step=1, curves={})
            restore(taken, {"net": module}, optimizer, no_scaler())
