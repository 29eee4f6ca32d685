import pytest
import torch

from samssl_cli.methods.perturbations import (
    PERTURBATIONS,
    channel_dropout,
    feature_drop,
    feature_noise,
)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_random_state_decides_and_features_stay_as_they_were(name):
    features = torch.rand(2, 4, 3, 3, 3)
    before = features.clone()
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        found.append(PERTURBATIONS[name](features))
    assert torch.equal(*found)
    assert torch.equal(features, before)
    assert not torch.equal(found[0], features)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_no_patch_at_all_is_no_problem(name):
    assert PERTURBATIONS[name](torch.zeros(0, 4, 3, 3, 3)).shape == (0, 4, 3, 3, 3)


def test_noise_is_relative_and_at_most_three_tenths():
    torch.manual_seed(0)
    factor = feature_noise(torch.full((1, 4, 9, 9, 9), 2.0)) / 2
    assert 0.7 <= factor.min().item() < 0.71
    assert 1.29 < factor.max().item() <= 1.3
    assert feature_noise(torch.zeros(1, 1, 2, 2, 2)).abs().max().item() == 0


def test_the_most_active_voxels_of_each_patch_are_dropped():
    # Means over the channels: 1, 0.95, 0.5 in the first patch; ten times as much in the second.
    activity = torch.tensor([1.0, 0.95, 0.5])
    patch = torch.stack([activity + 0.1, activity - 0.1])  # (2 channels, 3 voxels)
    features = torch.stack([patch, 10 * patch])[..., None, None]
    torch.manual_seed(0)
    kept = feature_drop(features) != 0
    # A threshold of 0.6 to 0.9 lets the last voxel through and stops the first two.
    assert kept[:, :, :, 0, 0].tolist() == [[[False, False, True]] * 2] * 2


def test_a_patch_without_activity_is_left_alone():
    features = -torch.rand(1, 2, 3, 3, 3)
    assert torch.equal(feature_drop(features), features)


def test_whole_channels_drop_out():
    torch.manual_seed(0)
    found = channel_dropout(torch.ones(50, 20, 1, 1, 2))
    assert torch.equal(found[..., 0], found[..., 1])
    assert found.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert (found == 0).float().mean().item() == pytest.approx(0.3, abs=0.05)
