import pytest
import torch
from torch import nn

from samssl_cli.networks import NETWORKS, build_network
from samssl_cli.networks.fresh import fresh_copy
from samssl_cli.recipe import Network


@pytest.mark.parametrize("name", NETWORKS)
def test_every_convolution_of_every_network_is_drawn_anew(name):
    torch.manual_seed(0)
    options = Network(name=name, channels=(2, 4), norm="batch")
    network = build_network(options, in_channels=1, num_classes=3)
    kept = {key: value.clone() for key, value in network.state_dict().items()}

    fresh = fresh_copy(network)

    convolutions = nn.modules.conv._ConvNd
    pairs = zip(network.modules(), fresh.modules(), strict=True)
    drawn = [(a.weight, b.weight) for a, b in pairs if isinstance(a, convolutions)]
    assert len(drawn) > 2
    assert all((a != b).all() for a, b in drawn)
    assert all(torch.equal(value, kept[key]) for key, value in network.state_dict().items())
    assert all(value.isfinite().all() for value in fresh.state_dict().values())


def test_the_copy_depends_on_the_seed_alone():
    network = nn.Conv3d(1, 2, 3)
    weights = []
    for _ in range(2):
        torch.manual_seed(4)
        weights.append(fresh_copy(network).weight)
    assert torch.equal(*weights)
