"""Instance normalisation in the order of channels-last is torch's."""

import pytest
import torch
from torch import nn

from samssl_cli.networks.instance_norm import InstanceNorm

LAST = torch.channels_last_3d


def layer(maps):
    torch.manual_seed(0)
    norm = nn.InstanceNorm3d(maps, affine=True)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.normal_()
    return norm


@pytest.mark.parametrize("maps", [2, 16])
@pytest.mark.parametrize("memory_format", [LAST, torch.contiguous_format])
def test_it_gives_the_same_and_keeps_its_input(maps, memory_format):
    norm = layer(maps)
    features = (3 * torch.randn(2, maps, 6, 5, 7) + 40).to(memory_format=memory_format)
    before = features.clone()
    with torch.inference_mode():
        found = InstanceNorm(norm)(features)
        torch.testing.assert_close(found, norm(features), atol=1e-4, rtol=1e-4)
    assert torch.equal(features, before)


def test_channels_last_stays_so():
    features = torch.randn(2, 16, 6, 5, 7).to(memory_format=LAST)
    with torch.inference_mode():
        assert InstanceNorm(layer(16))(features).is_contiguous(memory_format=LAST)


def test_a_million_voxels_are_summed_up_exactly_enough():
    features = (torch.randn(1, 8, 112, 112, 80) + 5).to(memory_format=LAST)
    norm = layer(8)
    with torch.inference_mode():
        found = InstanceNorm(norm)(features)
        expected = norm.double()(features.double())
    assert (found - expected).abs().max() < 2e-5


@pytest.mark.parametrize("changed", [{"affine": False}, {"track_running_stats": True}])
def test_no_other_layer_is_taken_for_one(changed):
    assert InstanceNorm.is_replaceable(nn.InstanceNorm3d(8, affine=True))
    assert not InstanceNorm.is_replaceable(nn.InstanceNorm3d(8, **({"affine": True} | changed)))
    assert not InstanceNorm.is_replaceable(nn.BatchNorm3d(8))
