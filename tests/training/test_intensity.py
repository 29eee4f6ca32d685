from math import exp

import numpy as np
import pytest
import torch

from samssl_cli.recipe import Augmentation
from samssl_cli.training.intensity import IntensityChange, change_intensity, draw_intensity


def change(*values: float, seed=0, **fields) -> list[float]:
    """Change a patch of one channel and a row of voxels."""
    patch = torch.tensor(values).view(1, 1, 1, -1)
    return change_intensity(patch, IntensityChange(**fields), seed=seed).flatten().tolist()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, [0.0, 1.0, 4.0], id="nothing"),
        pytest.param({"brightness": -0.5}, [-0.5, 0.5, 3.5], id="brightness"),
        pytest.param({"contrast": 1.5}, [0.0, 1.5, 6.0], id="contrast"),
        pytest.param({"contrast": 1.5, "brightness": 1.0}, [1.0, 2.5, 7.0], id="both"),
        # 4 * (v / 4) ** 2: the ends of the scale stay
        pytest.param({"gamma": 2.0}, [0.0, 0.25, 4.0], id="gamma"),
        pytest.param(
            {"bias_knots": np.full((4, 4, 4), 0.3, np.float32)},
            [0.0, exp(0.3), 4 * exp(0.3)],
            id="bias",
        ),
    ],
)
def test_a_change_by_hand(fields, expected):
    assert change(0.0, 1.0, 4.0, **fields) == pytest.approx(expected)


def test_gamma_bends_each_channel_on_its_own_scale():
    patch = torch.tensor([[0.0, 1.0, 4.0], [-2.0, 0.0, 2.0]]).view(2, 1, 1, 3)
    changed = change_intensity(patch, IntensityChange(gamma=2.0), seed=0)
    assert changed[0].flatten().tolist() == pytest.approx([0.0, 0.25, 4.0])  # 4 * (1/4) ** 2
    # second channel: -2 + 4 * (1/2) ** 2
    assert changed[1].flatten().tolist() == pytest.approx([-2.0, -1.0, 2.0])


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gamma_leaves_a_flat_patch_alone(gamma):
    assert change(3.0, 3.0, gamma=gamma) == pytest.approx([3.0, 3.0], abs=1e-5)


def test_bias_runs_smoothly_between_its_knots():
    knots = np.zeros((4, 4, 4), np.float32)
    knots[..., 3] = 0.6  # 0, 0, 0, 0.6 along k
    # Seven voxels between four knots: every second voxel sits on a knot.
    assert change(*[1.0] * 7, bias_knots=knots) == pytest.approx(
        [1, 1, 1, 1, 1, exp(0.3), exp(0.6)]
    )


def test_noise_depends_on_its_seed_alone():
    first, again, other = (change(*[0.0] * 5, seed=seed, noise_std=1.0) for seed in (1, 1, 2))
    torch.manual_seed(5)
    assert first == again == change(*[0.0] * 5, seed=1, noise_std=1.0)
    assert first != other


def test_noise_has_the_given_size():
    noise = change_intensity(torch.zeros(1, 20, 20, 20), IntensityChange(noise_std=0.2), seed=0)
    assert noise.std().item() == pytest.approx(0.2, rel=0.05)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.01)


def test_blur_spreads_a_spike_and_keeps_its_sum():
    patch = torch.zeros(1, 15, 15, 15)
    patch[0, 7, 7, 7] = 1
    blurred = change_intensity(patch, IntensityChange(blur_sigma_voxels=1.0), seed=0)
    assert blurred.sum().item() == pytest.approx(1.0, abs=1e-3)
    # MONAI integrates over a voxel: 0.383 of a normal distribution is within 0.5 of its mean.
    assert blurred[0, 7, 7, 7].item() == pytest.approx(0.383**3, abs=2e-3)


def test_the_patch_itself_is_left_alone():
    patch = torch.ones(1, 2, 2, 2)
    changed = change_intensity(patch, IntensityChange(), seed=0)
    assert torch.equal(changed, patch)
    changed += 1
    assert (patch == 1).all()


def test_a_probability_of_0_draws_the_change_that_changes_nothing():
    drawn = draw_intensity(np.random.default_rng(0), Augmentation(intensity_probability=0))
    assert drawn == IntensityChange()


def test_drawn_values_stay_in_their_ranges():
    options = Augmentation(
        intensity_probability=1,
        brightness=0.2,
        contrast=0.3,
        gamma=0.5,
        noise_std=0.1,
        blur_sigma_voxels=0.8,
        bias_field=0.4,
    )
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = draw_intensity(rng, options)
        assert abs(drawn.brightness) <= 0.2
        assert abs(drawn.contrast - 1) <= 0.3
        assert abs(np.log2(drawn.gamma)) <= 0.5
        assert 0 <= drawn.noise_std <= 0.1
        assert 0 <= drawn.blur_sigma_voxels <= 0.8
        assert np.abs(drawn.bias_knots).max() <= 0.4


def test_a_bias_field_of_no_size_is_not_drawn():
    options = Augmentation(intensity_probability=1, bias_field=0)
    assert draw_intensity(np.random.default_rng(0), options).bias_knots is None


def test_changes_are_chosen_one_by_one():
    rng = np.random.default_rng(0)
    drawn = [draw_intensity(rng, Augmentation()) for _ in range(200)]  # each with probability 1/2
    has_noise = np.array([change.noise_std > 0 for change in drawn])
    has_gamma = np.array([change.gamma != 1 for change in drawn])
    assert np.mean(has_noise & has_gamma) == pytest.approx(0.25, abs=0.1)
    assert np.mean(has_noise & ~has_gamma) == pytest.approx(0.25, abs=0.1)


def test_the_same_state_draws_the_same_change():
    first, again = (draw_intensity(np.random.default_rng(3), Augmentation()) for _ in range(2))
    assert repr(first) == repr(again)
