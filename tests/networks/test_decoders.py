import pytest
import torch
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.unet import UNet
from torch import nn

from samssl_cli.errors import RecipeError
from samssl_cli.networks import NETWORKS, build_network, size_multiple
from samssl_cli.networks.decoders import EncoderDecoder, halves, with_upsampling
from samssl_cli.networks.fresh import fresh_copy
from samssl_cli.recipe import Network

SMALL = {
    "unet": Network(name="unet", channels=(2, 3, 4, 5), norm="batch"),
    "vnet": Network(name="vnet", channels=(2,), norm="batch"),
    "segresnet": Network(name="segresnet", channels=(2,), norm="batch"),
}
PARAMETERS = pytest.mark.parametrize("name", [n for n in NETWORKS if NETWORKS[n].has_decoder])


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(SMALL[name], in_channels=1, num_classes=3)


def image(name: str) -> torch.Tensor:
    multiple = size_multiple(SMALL[name])
    return torch.randn(2, 1, 2 * multiple, multiple, multiple)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_table_says_which_networks_can_be_taken_apart(name):
    assert NETWORKS[name].has_decoder == isinstance(build(name), EncoderDecoder)


@PARAMETERS
def test_the_two_halves_are_the_network_bit_for_bit(name):
    network, patch = build(name).eval(), image(name)
    with torch.no_grad():
        again = halves(network).decoder()(halves(network).encode(patch))
        assert torch.equal(again, network(patch))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        pytest.param(
            "unet",
            lambda: UNet(3, 1, 3, (2, 3, 4, 5), (2, 2, 2), num_res_units=2, norm="batch"),
            id="unet",
        ),
        pytest.param(
            "segresnet",
            lambda: SegResNet(
                3, 2, 1, 3, norm=("batch", {}), blocks_down=(1, 2, 2, 4), upsample_mode="deconv"
            ),
            id="segresnet",
        ),
    ],
)
def test_weights_and_predictions_are_those_of_monais_network(name, plain):
    ours, patch = build(name).eval(), image(name)
    torch.manual_seed(0)
    theirs = plain().eval()
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    with torch.no_grad():
        assert torch.equal(ours(patch), theirs(patch))


@PARAMETERS
def test_a_view_shares_the_weights_and_leaves_the_network_as_it_was(name):
    network = build(name)
    names = list(network.state_dict())
    view = {id(parameter) for parameter in halves(network).decoder().parameters()}

    assert view < {id(parameter) for parameter in network.parameters()}
    assert list(network.state_dict()) == names


@PARAMETERS
def test_each_scale_is_twice_as_fine_as_the_one_before_and_as_wide_as_told(name):
    network, patch = build(name), image(name)
    decoder = halves(network).decoder()
    with torch.no_grad():
        found = decoder.features(halves(network).encode(patch))

    assert tuple(features.shape[1] for features in found) == decoder.widths
    sizes = [features.shape[2] for features in found]
    own_last = sizes[-1] == sizes[-2]  # a head that upsamples takes two features of one size
    doubled = sizes[:-1] if own_last else sizes
    assert doubled == [doubled[0] * 2**n for n in range(len(doubled))]
    assert sizes[-1] * (2 if own_last else 1) == patch.shape[2]


def test_a_unet_of_two_levels_has_a_bottleneck_and_a_head():
    network = build_network(Network(channels=(2, 4), norm="batch"), in_channels=1, num_classes=2)
    decoder = halves(network).decoder()
    found = decoder.features(halves(network).encode(torch.randn(2, 1, 4, 4, 2)))
    assert decoder.widths == (4, 6)
    assert [tuple(features.shape[1:]) for features in found] == [(4, 2, 2, 1), (6, 2, 2, 1)]


@PARAMETERS
def test_a_renewed_decoder_has_other_weights_of_its_own(name):
    network = build(name).eval()
    own = fresh_copy(halves(network).decoder())
    levels = halves(network).encode(image(name))

    logits = own(levels)
    logits.square().mean().backward()

    assert not torch.equal(logits, halves(network).decoder()(levels))
    assert not {id(p) for p in own.parameters()} & {id(p) for p in network.parameters()}
    assert all(p.grad is None for p in halves(network).decoder().parameters())
    assert all(p.grad is not None for p in own.parameters())


@PARAMETERS
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_other_upsampling_keeps_every_shape(name, mode):
    network = build(name)
    levels = halves(network).encode(image(name))
    own = with_upsampling(halves(network).decoder(), mode)

    assert not any(isinstance(part, nn.ConvTranspose3d) for part in own.modules())
    assert own(levels).shape == halves(network).decoder()(levels).shape
    assert any(isinstance(part, nn.ConvTranspose3d) for part in network.modules())


def test_a_network_without_halves_is_refused():
    with pytest.raises(RecipeError, match=r"Conv3d has no encoder.*unet, vnet or segresnet"):
        halves(nn.Conv3d(1, 2, 1))
