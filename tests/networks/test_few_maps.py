"""Convolutions to a few maps are what they replace."""

import pytest
import torch
from torch import nn

from samssl_cli.networks.few_maps import SubpixelConvolution, SummedConvolution


def test_an_upsampling_is_a_convolution_and_a_shuffle():
    torch.manual_seed(0)
    layer = nn.ConvTranspose3d(5, 3, 3, stride=2, padding=1, output_padding=1)
    assert SubpixelConvolution.is_replaceable(layer)
    features = torch.randn(2, 5, 4, 3, 6)
    torch.testing.assert_close(SubpixelConvolution(layer)(features), layer(features))


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel_size": 2, "padding": 0, "output_padding": 0},
        {"stride": 1, "output_padding": 0},
        {"bias": False},
        {"padding": 0},
        {"out_channels": 32},
        {"dilation": 2},
    ],
)
def test_no_other_layer_is_taken_for_one(changed):
    sound = {
        "in_channels": 5,
        "out_channels": 3,
        "kernel_size": 3,
        "stride": 2,
        "padding": 1,
        "output_padding": 1,
    }
    assert SubpixelConvolution.is_replaceable(nn.ConvTranspose3d(**sound))
    assert not SubpixelConvolution.is_replaceable(nn.ConvTranspose3d(**(sound | changed)))
    assert not SubpixelConvolution.is_replaceable(nn.Conv3d(5, 3, 3))


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("padding", ["same", "number"])
def test_weights_along_an_axis_are_maps_that_are_summed(side, bias, padding):
    torch.manual_seed(0)
    layer = nn.Conv3d(4, 3, side, padding=side // 2 if padding == "number" else "same", bias=bias)
    assert SummedConvolution.is_replaceable(layer)
    features = torch.randn(2, 4, 6, 5, 7)
    torch.testing.assert_close(
        SummedConvolution(layer)(features), layer(features), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("planes", [1, 2])
def test_a_volume_of_fewer_planes_than_weights_is_summed_as_well(planes):
    torch.manual_seed(0)
    layer = nn.Conv3d(4, 2, 5, padding=2)
    features = torch.randn(1, 4, planes, 5, 7)
    torch.testing.assert_close(
        SummedConvolution(layer)(features), layer(features), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"out_channels": 6},
        {"kernel_size": 1, "padding": 0},
        {"kernel_size": (3, 3, 1), "padding": (1, 1, 0)},
        {"padding": 0},
        {"padding_mode": "reflect"},
        {"stride": 2},
        {"dilation": 2, "padding": 2},
        {"groups": 2},
    ],
)
def test_no_other_layer_is_summed(changed):
    sound = {"in_channels": 4, "out_channels": 2, "kernel_size": 3, "padding": 1}
    assert SummedConvolution.is_replaceable(nn.Conv3d(**sound))
    assert not SummedConvolution.is_replaceable(nn.Conv3d(**(sound | changed)))
    assert not SummedConvolution.is_replaceable(nn.ConvTranspose3d(4, 2, 3, padding=1))
