"""The specialist's architectures: the NETWORKS table and how a row becomes a network."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samssl_cli.recipe import Network
from samssl_cli.registry import Entry, load

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class NetworkEntry(Entry):
    """A row that also says, without importing the part, how the network is built."""

    num_levels: int | None = None
    """How often it halves a patch, plus one; None: as many levels as the recipe has channels."""
    has_decoder: bool = False
    """Whether it can be taken apart, for methods that need that: `networks.decoders`."""


NETWORKS: dict[str, NetworkEntry] = {
    "unet": NetworkEntry(
        "samssl_cli.networks.unet:unet",
        "residual 3D U-Net, any number of levels",
        "Kerfoot et al., STACOM 2018; MONAI UNet",
        has_decoder=True,
    ),
    "vnet": NetworkEntry(
        "samssl_cli.networks.vnet:vnet",
        "3D V-Net with five levels, the literature's network on the Left Atrium",
        "Milletari et al., 3DV 2016, arXiv:1606.04797; MONAI VNet blocks",
        num_levels=5,
        has_decoder=True,
    ),
    "segresnet": NetworkEntry(
        "samssl_cli.networks.segresnet:segresnet",
        "residual-encoder U-Net with four levels, cheap at full resolution",
        "Myronenko, BrainLes 2018, arXiv:1810.11654; MONAI SegResNet",
        num_levels=4,
        has_decoder=True,
    ),
}


def build_network(options: Network, *, in_channels: int, num_classes: int) -> "torch.nn.Module":
    """Build the network that `options` describes, with random weights.

    It takes (B, in_channels, I, J, K) float32 and returns logits (B, num_classes, I, J, K). Each of
    I, J, K has to be a multiple of `size_multiple(options)`.

    Raises:
        UsageError: when the table has no such network.
    """
    network: torch.nn.Module = load(NETWORKS, options.name, kind="network")(
        options, in_channels=in_channels, num_classes=num_classes
    )
    return network


def size_multiple(options: Network) -> int:
    """What each side of a patch has to be a multiple of."""
    levels = NETWORKS[options.name].num_levels or len(options.channels)
    return int(2 ** (levels - 1))
