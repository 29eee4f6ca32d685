import numpy as np
import pytest
import torch
from torch import Tensor, nn

from samssl_cli.inference.sliding_window import predict_probability
from samssl_cli.recipe import Inference

PATCH = (8, 6, 4)
CPU = torch.device("cpu")


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv3d(1, 3, 3, padding=1)


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)


def predict(network, volume, **options) -> np.ndarray:
    return predict_probability(
        network, volume, patch_size=PATCH, options=Inference(**options), device=CPU
    )


def test_one_patch_is_one_forward_pass(network):
    volume = image(*PATCH)
    with torch.no_grad():
        expected = network(torch.from_numpy(volume)[None])[0].softmax(0)
    np.testing.assert_allclose(predict(network, volume), expected, atol=1e-6)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((13, 9, 7), id="larger"),
        pytest.param((3, 2, 1), id="smaller"),
        pytest.param((20, 6, 2), id="mixed"),
        pytest.param((1, 1, 1), id="one-voxel"),
    ],
)
def test_any_volume_gets_probabilities_of_its_own_shape(shape, network):
    probability = predict(network, image(*shape))
    assert probability.shape == (3, *shape)
    assert probability.dtype == np.float32
    assert (probability >= 0).all()
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-5)


def test_a_network_that_looks_at_one_voxel_does_not_notice_the_windows():
    torch.manual_seed(0)
    pointwise, volume = nn.Conv3d(1, 2, 1), image(13, 9, 7)
    with torch.no_grad():
        expected = pointwise(torch.from_numpy(volume)[None])[0].softmax(0)
    np.testing.assert_allclose(predict(pointwise, volume), expected, atol=1e-5)


def test_the_network_never_sees_another_size_than_that_of_the_training(network):
    seen = set()

    def watch(windows: Tensor) -> Tensor:
        seen.add(tuple(windows.shape[2:]))
        assert len(windows) <= 3
        return network(windows)

    for shape in [(13, 9, 7), (3, 2, 1)]:
        predict(watch, image(*shape), window_batch=3)
    assert seen == {PATCH}


def test_the_number_of_windows_per_pass_does_not_matter(network):
    one, four = (predict(network, image(13, 9, 7), window_batch=n) for n in (1, 4))
    np.testing.assert_allclose(one, four, atol=1e-6)


def test_half_precision_volumes_are_predicted_in_single_precision(network):
    half = image(*PATCH).astype(np.float16)
    expected = predict(network, half.astype(np.float32))
    np.testing.assert_array_equal(predict(network, half), expected)


def test_what_lies_outside_a_small_volume_is_0():
    seen = []

    def watch(windows: Tensor) -> Tensor:
        seen.append(windows)
        return torch.cat([windows, -windows], 1)

    predict(watch, np.ones((1, 2, 6, 4), np.float32))
    assert seen[0].sum().item() == 2 * 6 * 4


AXES = [(), (1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)]


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_with_flips_a_mirrored_volume_gets_the_mirrored_prediction(network, axes):
    volume = image(13, 9, 7)  # several windows along every axis
    straight = predict(network, volume, flips=True)
    mirrored = predict(network, np.flip(volume, axes), flips=True)
    np.testing.assert_allclose(np.flip(mirrored, axes), straight, atol=1e-6)
    np.testing.assert_allclose(straight.sum(axis=0), 1, atol=1e-5)


def test_without_flips_it_does_not():
    """A network that looks to the left of a voxel alone is what the test above must catch."""
    shifted = nn.Conv3d(1, 2, 3, padding=1, bias=False)
    with torch.no_grad():
        shifted.weight.zero_()[0, 0, 0, 1, 1] = 1.0
    volume = image(*PATCH)
    straight, mirrored = (predict(shifted, one) for one in (volume, np.flip(volume, 1)))
    assert np.abs(np.flip(mirrored, 1) - straight).max() > 0.1


def test_flips_are_the_mean_over_all_mirrored_volumes():
    """One channel, one voxel to the left: by hand for a row of two voxels.

    The network gives class 0 the logit of the left neighbour (0 beyond the border), class 1 the
    logit 0. For the row (0, ln 3) that is sigmoid(0, 0) = 0.5, 0.5. Mirrored, (ln 3, 0), it is
    sigmoid(0, ln 3) = 0.5, 0.75, mirrored back 0.75, 0.5. The other axes change nothing.
    Mean: 0.625, 0.5.
    """
    left = nn.Conv3d(1, 2, 3, padding=1, bias=False)
    with torch.no_grad():
        left.weight.zero_()[0, 0, 0, 1, 1] = 1.0
    volume = np.zeros((1, 2, 1, 1), np.float32)
    volume[0, 1] = np.log(3)
    probability = predict_probability(
        left, volume, patch_size=(2, 1, 1), options=Inference(flips=True), device=CPU
    )
    np.testing.assert_allclose(probability[0].ravel(), [0.625, 0.5], atol=1e-6)


def test_flips_forget_nothing_of_a_volume_smaller_than_the_patch():
    pointwise, volume = nn.Conv3d(1, 2, 1), image(3, 2, 1)
    plain, flipped = (predict(pointwise, volume, flips=flips) for flips in (False, True))
    np.testing.assert_allclose(flipped, plain, atol=1e-6)


def test_flips_cost_eight_predictions():
    calls = []

    def count(windows: Tensor) -> Tensor:
        calls.append(len(windows))
        return torch.cat([windows, -windows], 1)

    predict(count, image(*PATCH), flips=True)
    assert calls == [1] * 8


class Counting(nn.Module):
    """A network that counts the windows it sees."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.num_windows = inner, 0

    def forward(self, windows: Tensor) -> Tensor:
        self.num_windows += len(windows)
        found: Tensor = self.inner(windows)
        return found


def body_in_air() -> np.ndarray:
    volume = np.full((1, 40, 12, 8), -1.5, np.float32)
    volume[:, 14:20] = image(6, 12, 8)
    return volume


@pytest.mark.parametrize("window_batch", [1, 2, 3, 64])
def test_windows_of_air_are_predicted_once(network, window_batch, monkeypatch):
    careful, counting = Counting(network).eval(), Counting(network).eval()
    volume = body_in_air()
    found = predict(counting, volume, window_batch=window_batch)
    monkeypatch.setattr("samssl_cli.inference.sliding_window._only_values", lambda _: None)
    expected = predict(careful, volume, window_batch=window_batch)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert counting.num_windows < 0.5 * careful.num_windows


def test_each_air_has_a_prediction_of_its_own(network):
    network.eval()
    volume = np.zeros((1, 48, 6, 4), np.float32)
    volume[:, 16:32], volume[:, 32:] = 3.0, -2.0
    with torch.no_grad():
        expected = [
            network(torch.full((1, 1, *PATCH), value))[0].softmax(0) for value in (0.0, 3.0, -2.0)
        ]
    found = predict(network, volume, overlap=0.0)
    for index, one in enumerate(expected):
        start = 16 * index
        np.testing.assert_allclose(found[:, start : start + 8], one, atol=1e-6)


def test_dropout_is_drawn_anew_in_air():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 2, 1), nn.Dropout(0.5)).eval()
    network[1].train()
    found = predict(network, np.ones((1, 8, 6, 64), np.float32), overlap=0.0)
    windows = np.split(found, 16, axis=-1)
    assert not any(np.array_equal(windows[0], other) for other in windows[1:])
