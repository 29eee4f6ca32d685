import pytest
import torch
from monai.networks.nets.vnet import VNet
from torch import nn

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.networks import NETWORKS, build_network, size_multiple
from samssl_cli.recipe import Network
from samssl_cli.registry import load

SMALL = {
    "unet": Network(name="unet", channels=(2, 4, 4)),
    "vnet": Network(name="vnet", channels=(2,)),
    "segresnet": Network(name="segresnet", channels=(2,)),
}


def build(options: Network, *, in_channels=1, num_classes=2, **changes) -> nn.Module:
    torch.manual_seed(0)
    options = options.model_copy(update=changes)
    return build_network(options, in_channels=in_channels, num_classes=num_classes)


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize(("in_channels", "num_classes"), [(1, 2), (3, 5)])
def test_every_network_maps_channels_to_classes(name, norm, in_channels, num_classes):
    network = build(SMALL[name], norm=norm, in_channels=in_channels, num_classes=num_classes)
    multiple = size_multiple(SMALL[name])
    size = (2 * multiple, multiple, multiple)  # anisotropic
    with torch.no_grad():
        logits = network(torch.randn(2, in_channels, *size))
    assert logits.shape == (2, num_classes, *size)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name):
    network = build(SMALL[name], norm="batch", in_channels=2)
    multiple = size_multiple(SMALL[name])

    network(torch.randn(2, 2, 2 * multiple, multiple, multiple)).square().mean().backward()

    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(Network(name="unet", channels=(2, 4)), 2, id="unet-2"),
        pytest.param(SMALL["unet"], 4, id="unet-3"),
        pytest.param(Network(name="unet"), 16, id="unet-5"),
        pytest.param(SMALL["vnet"], 16, id="vnet"),
        pytest.param(Network(name="vnet", channels=(16, 32)), 16, id="vnet-of-two"),
        pytest.param(SMALL["segresnet"], 8, id="segresnet"),
    ],
)
def test_size_multiple(options, expected):
    assert size_multiple(options) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_half_of_the_size_multiple_is_not_enough(name):
    network = build(SMALL[name], norm="batch").eval()
    side = 3 * size_multiple(SMALL[name]) // 2
    with torch.no_grad(), pytest.raises(RuntimeError, match=r"[Ss]izes? of tensor"):
        network(torch.randn(1, 1, side, side, side))


@pytest.mark.parametrize(
    ("norm", "kind"), [("instance", nn.InstanceNorm3d), ("batch", nn.BatchNorm3d)]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_normalisation_is_of_the_kind_asked_for(name, norm, kind):
    network = build(SMALL[name], norm=norm)
    found = {type(m) for m in network.modules() if "Norm" in type(m).__name__}
    assert found == {kind}
    assert all(m.affine for m in network.modules() if isinstance(m, kind))


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_acts_in_training_alone(name):
    network = build(SMALL[name], norm="batch", dropout=0.5)
    image = torch.randn(1, 1, 32, 16, 16)
    with torch.no_grad():
        assert not torch.equal(network(image), network(image))
        network.eval()
        assert torch.equal(network(image), network(image))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_weights(name):
    first, again = build(SMALL[name]).state_dict(), build(SMALL[name]).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_a_vnet_of_width_16_has_as_many_weights_as_monais():
    ours = build(Network(name="vnet", channels=(16,), norm="batch"))
    assert num_parameters(ours) == num_parameters(VNet(in_channels=1, out_channels=2))


def test_a_vnet_mixes_several_channels_into_one_first():
    # A 1x1x1 convolution from 3 channels to 1: 3 weights and a bias.
    one, three = build(SMALL["vnet"]), build(SMALL["vnet"], in_channels=3)
    assert num_parameters(three) - num_parameters(one) == 4


def test_a_unet_of_one_level_is_refused():
    with pytest.raises(RecipeError, match=r"network.channels = \[8\].*two levels"):
        build(Network(name="unet", channels=(8,)))


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="unknown network 'resnet'; known: segresnet, unet, vnet"):
        build(Network(name="resnet"))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_loads_and_has_a_source(name):
    assert callable(load(NETWORKS, name, kind="network"))
    assert NETWORKS[name].summary
    assert NETWORKS[name].source
