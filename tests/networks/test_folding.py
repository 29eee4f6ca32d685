"""A folded network predicts what it predicted before."""

import pytest
import torch
from torch import nn

from samssl_cli.networks import build_network
from samssl_cli.networks.few_maps import SubpixelConvolution, SummedConvolution
from samssl_cli.networks.folding import fold_for_inference
from samssl_cli.networks.instance_norm import InstanceNorm
from samssl_cli.networks.winograd import WinogradConvolution
from samssl_cli.recipe import Network


def trained(*, num_classes=2, **options):
    """A network whose statistics, scales and slopes are not those that it began with."""
    torch.manual_seed(0)
    network = build_network(Network(**options), in_channels=1, num_classes=num_classes)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d | nn.InstanceNorm3d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_()
            if isinstance(module, nn.PReLU):
                module.weight.uniform_(0.1, 0.4)
        network.train()
        for _ in range(2):
            network(torch.randn(2, 1, 32, 32, 32))
    return network.eval()


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("num_classes", [2, 4, 6])
def test_a_unet_predicts_the_same(norm, dropout, num_classes):
    network = trained(
        name="unet", channels=[8, 16, 16], norm=norm, dropout=dropout, num_classes=num_classes
    )
    image = torch.randn(2, 1, 24, 16, 8)
    with torch.inference_mode():
        expected = network(image)
        fold_for_inference(network)
        torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=1e-4)
    kinds = {type(module) for module in network.modules()}
    assert nn.BatchNorm3d not in kinds
    assert nn.PReLU not in kinds
    assert (SubpixelConvolution in kinds) == (num_classes <= 4)
    rates = {
        module.p for module in network.modules() if isinstance(module, nn.Dropout3d | nn.Dropout)
    }
    assert rates == {dropout}  # for what is uncertain


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("name", ["vnet", "segresnet"])
def test_other_networks_predict_the_same(name, norm):
    network = trained(name=name, channels=[8], norm=norm)
    image = torch.randn(1, 1, 32, 32, 32)
    with torch.inference_mode():
        expected = network(image)
        fold_for_inference(network)
        torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=1e-4)
    kinds = {type(module) for module in network.modules()}
    assert WinogradConvolution in kinds
    assert (InstanceNorm in kinds) == (norm == "instance")
    assert (SummedConvolution in kinds) == (name == "vnet")
