import pytest
import torch
from torch import Tensor, nn

from samssl_cli.methods import METHODS
from samssl_cli.methods.method import Method
from samssl_cli.networks import build_network
from samssl_cli.recipe import Network
from samssl_cli.registry import load
from samssl_cli.training.average import Averaged


class Alone(Method):
    """A student that is moved by hand."""


def scalar(value: float) -> nn.Module:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def move(network: nn.Module, value: float) -> None:
    for tensor in network.state_dict().values():
        tensor.fill_(value)


def values(network: nn.Module) -> list[Tensor]:
    return [tensor.flatten() for tensor in network.state_dict().values()]


def test_the_mean_follows_fast_at_first():
    method = Alone(scalar(1.0), {}, steps=3)
    learner = Averaged(method, decay=0.9)
    move(method.student, 2.0)
    learner.after_step(0)  # decay 1/100: 0.01 * 1 + 0.99 * 2
    assert learner.predictor().weight.item() == pytest.approx(1.99)
    learner.after_step(98)  # 99/198 = 0.5: the middle of 1.99 and 2
    assert learner.predictor().weight.item() == pytest.approx(1.995)
    move(method.student, 3.0)
    learner.after_step(10_000)  # not more than 0.9
    assert learner.predictor().weight.item() == pytest.approx(0.9 * 1.995 + 0.1 * 3)
    assert method.student.weight.item() == 3.0


def test_running_statistics_are_averaged_and_counts_are_copied():
    method = Alone(nn.BatchNorm3d(1), {}, steps=3)  # mean 0, variance 1, weight 1, bias 0
    learner = Averaged(method, decay=0.9)
    move(method.student, 5)
    learner.after_step(98)  # half of each
    found = {name: value.item() for name, value in learner.predictor().state_dict().items()}
    assert found == {
        "weight": 3.0,
        "bias": 2.5,
        "running_mean": 2.5,
        "running_var": 3.0,
        "num_batches_tracked": 5,
    }


@pytest.mark.parametrize(
    ("name", "options", "followed"),
    [
        ("supervised", {}, "student"),
        ("mean-teacher", {"predict_with": "teacher"}, "teacher"),
        ("cps", {"predict_with": "second"}, "second"),
        ("bcp", {}, "student"),
        ("mc-net", {}, "student"),
        ("ad-mt", {"predict_with": "second_teacher"}, "second_teacher"),
    ],
)
def test_what_is_averaged_is_the_network_that_predicts(name, options, followed):
    network = build_network(Network(channels=(2, 2, 2), norm="batch"), in_channels=1, num_classes=2)
    method = load(METHODS, name, kind="method")(network, options, steps=5)
    learner = Averaged(method, decay=0.5)
    assert list(learner.modules()) == [*method.modules(), "average"]
    assert learner.trained().keys() == method.trained().keys()
    assert not any(one.requires_grad for one in learner.predictor().parameters())
    before = [one.clone() for one in values(method.modules()[followed])]
    assert all(map(torch.equal, values(learner.predictor()), before))
    move(method.modules()[followed], 1.0)
    method.after_step = lambda step: None  # a teacher stays where it was put
    learner.after_step(1000)
    expected = [0.5 * one + 0.5 for one in before if one.is_floating_point()]
    found = [one for one in values(learner.predictor()) if one.is_floating_point()]
    assert all(map(torch.allclose, found, expected))
