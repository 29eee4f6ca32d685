from math import cos, pi

import pytest
import torch
from torch import nn

from samssl_cli.recipe import Training
from samssl_cli.training.optimization import build_optimizer, learning_rate_at


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        pytest.param("constant", 0, 0.1, id="constant-start"),
        pytest.param("constant", 9, 0.1, id="constant-last"),
        pytest.param("cosine", 0, 0.1, id="cosine-start"),
        pytest.param("cosine", 5, 0.05, id="cosine-half"),
        pytest.param("cosine", 9, 0.05 * (1 + cos(0.9 * pi)), id="cosine-last"),
        pytest.param("poly", 0, 0.1, id="poly-start"),
        pytest.param("poly", 5, 0.1 * 0.5**0.9, id="poly-half"),
        pytest.param("poly", 9, 0.1 * 0.1**0.9, id="poly-last"),
        pytest.param("step", 3, 0.1, id="step-before"),
        pytest.param("step", 4, 0.01, id="step-first"),
        pytest.param("step", 8, 0.001, id="step-second"),
    ],
)
def test_the_learning_rate_of_ten_steps(schedule, step, expected):
    options = Training(steps=10, learning_rate=0.1, schedule=schedule, decay_every=4)
    assert learning_rate_at(step, options) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "kind", "defaults"),
    [
        ("sgd", torch.optim.SGD, {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.02}),
        ("adamw", torch.optim.AdamW, {"lr": 0.3, "weight_decay": 0.02}),
    ],
    ids=["sgd", "adamw"],
)
def test_the_optimizer_is_the_recipes(name, kind, defaults):
    options = Training(optimizer=name, learning_rate=0.3, momentum=0.7, weight_decay=0.02)

    optimizer = build_optimizer(nn.Linear(2, 1).parameters(), options)

    assert type(optimizer) is kind
    assert {key: optimizer.defaults[key] for key in defaults} == defaults


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_one_kernel_takes_the_same_step(name, monkeypatch):
    def stepped():
        torch.manual_seed(0)
        layer = nn.Linear(5, 3)
        optimizer = build_optimizer(layer.parameters(), Training(optimizer=name))
        for _ in range(3):
            layer(torch.ones(2, 5)).square().sum().backward()
            optimizer.step()
        return layer.weight.detach(), optimizer.param_groups[0]["fused"]

    plain, is_fused = stepped()
    assert not is_fused
    monkeypatch.setattr(nn.Parameter, "is_cuda", True)  # torch has the kernel for CPUs, too
    fused, is_fused = stepped()
    assert is_fused
    torch.testing.assert_close(fused, plain)
