import numpy as np
import pytest
import torch
from torch import nn

from samssl_cli.inference.uncertainty import normalised_entropy, stochastic_probability

IMAGE = np.ones((1, 3, 4, 5), np.float32)


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        pytest.param((0.5, 0.5), 1.0, id="undecided"),
        pytest.param((1.0, 0.0), 0.0, id="sure"),
        # -(1/4 ln 1/4 + 3/4 ln 3/4) / ln 2 = 2 - 3/4 log2(3)
        pytest.param((0.25, 0.75), 2 - 0.75 * np.log2(3), id="quarter"),
        pytest.param((1 / 3, 1 / 3, 1 / 3), 1.0, id="three-classes"),
        # ln 2 / ln 4
        pytest.param((0.5, 0.5, 0.0, 0.0), 0.5, id="two-of-four-classes"),
    ],
)
def test_normalised_entropy_of_one_voxel(probability, expected):
    voxel = np.array(probability, np.float32)[:, None, None, None]
    entropy = normalised_entropy(voxel)
    assert entropy.shape == (1, 1, 1)
    assert entropy.dtype == np.float32
    assert entropy.item() == pytest.approx(expected, abs=1e-6)


def test_rounding_never_leaves_0_to_1():
    voxel = np.full((2, 1, 1, 1), 0.5000001, np.float32)
    assert 0 <= normalised_entropy(voxel).item() <= 1


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.BatchNorm3d(1), nn.Dropout(0.5)).eval()


def passes(network: nn.Module, *, num_passes=4, noise_std=0.0, seed=0) -> np.ndarray:
    def predict(image: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            foreground = network(torch.from_numpy(image)[None])[0].sigmoid()
        return torch.cat([1 - foreground, foreground]).numpy()

    return stochastic_probability(
        predict, network, IMAGE, num_passes=num_passes, noise_std=noise_std, seed=seed
    )


def test_the_passes_are_averaged(network):
    # With dropout a voxel is sigmoid(0) = 0.5 or sigmoid(2) = 0.88; two passes mix them.
    mean = passes(network, num_passes=2)[1]
    low, high = 0.5, 1 / (1 + np.exp(-2))
    assert {round(float(value), 3) for value in mean.flat} == {
        round(float(value), 3) for value in (low, (low + high) / 2, high)
    }
    assert mean.dtype == np.float32


def test_without_dropout_and_noise_it_is_the_prediction(network):
    network[1].p = 0.0
    np.testing.assert_allclose(passes(network)[1], 1 / (1 + np.exp(-1)), atol=1e-5)


def test_the_seed_decides_dropout_and_noise(network):
    first, other = passes(network, noise_std=0.1), passes(network, noise_std=0.1, seed=1)
    torch.manual_seed(77)
    np.testing.assert_array_equal(passes(network, noise_std=0.1), first)
    assert not np.array_equal(first, other)


def test_only_dropout_is_switched_on_and_afterwards_off_again(network):
    modes = []
    network.register_forward_hook(
        lambda module, *_: modes.append([layer.training for layer in module])
    )
    mean, variance = network[0].running_mean.clone(), network[0].running_var.clone()

    passes(network, num_passes=1)

    assert modes == [[False, True]]
    assert not any(module.training for module in network.modules())
    assert torch.equal(network[0].running_mean, mean)
    assert torch.equal(network[0].running_var, variance)


def test_dropout_is_switched_off_again_after_an_error(network):
    def fail(image: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stochastic_probability(fail, network, IMAGE, num_passes=2, noise_std=0.1, seed=0)
    assert not network[1].training
