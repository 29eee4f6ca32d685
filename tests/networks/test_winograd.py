"""A convolution with fewer multiplications is the convolution."""

import pytest
import torch
from torch import nn

from samssl_cli.networks import winograd
from samssl_cli.networks.winograd import WinogradConvolution

LAST = torch.channels_last_3d


def layer(side, **changed):
    torch.manual_seed(0)
    return nn.Conv3d(32, 48, **({"kernel_size": side, "padding": side // 2} | changed))


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("planes", [4, 7, 8, 15, 16])
@pytest.mark.parametrize("memory_format", [LAST, torch.contiguous_format])
def test_it_gives_the_same(side, planes, memory_format):
    direct = layer(side)
    features = torch.randn(2, 32, planes, 6, 5).to(memory_format=memory_format)
    with torch.inference_mode():
        found = WinogradConvolution(direct)(features)
        expected = direct(features)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (found - expected).square().mean() < 1e-10 * expected.square().mean()


@pytest.mark.parametrize("changed", [{"bias": False}, {"padding": "same"}])
def test_it_needs_no_bias_and_knows_what_same_is(changed):
    direct = layer(3, **changed)
    features = torch.randn(1, 32, 8, 6, 5)
    with torch.inference_mode():
        torch.testing.assert_close(
            WinogradConvolution(direct)(features), direct(features), atol=1e-4, rtol=1e-4
        )


def test_what_is_large_is_done_in_parts(monkeypatch):
    direct = layer(5)
    features = torch.randn(2, 32, 23, 6, 5)
    with torch.inference_mode():
        whole = WinogradConvolution(direct)(features)
        monkeypatch.setattr(winograd, "_AT_ONCE", features[:, :, :9].numel())
        parts = WinogradConvolution(direct)(features)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("planes", [1, 2, 3, 5])
def test_a_size_with_much_to_fill_up_goes_the_direct_way(planes):
    direct = layer(3)
    features = torch.randn(1, 32, planes, 6, 5)
    with torch.inference_mode():
        assert torch.equal(WinogradConvolution(direct)(features), direct(features))


@pytest.mark.parametrize(
    "changed",
    [
        {"in_channels": 16},
        {"out_channels": 16},
        {"kernel_size": 1, "padding": 0},
        {"kernel_size": 7, "padding": 3},
        {"kernel_size": (3, 3, 1), "padding": (1, 1, 0)},
        {"padding": 0},
        {"padding_mode": "circular"},
        {"stride": 2},
        {"dilation": 2, "padding": 2},
        {"groups": 2},
    ],
)
def test_no_other_layer_is_taken_for_one(changed):
    sound = {"in_channels": 32, "out_channels": 48, "kernel_size": 3, "padding": 1}
    assert WinogradConvolution.is_replaceable(nn.Conv3d(**sound))
    assert not WinogradConvolution.is_replaceable(nn.Conv3d(**(sound | changed)))
    assert not WinogradConvolution.is_replaceable(nn.ConvTranspose3d(32, 48, 3, padding=1))
