"""The 3D U-Net with residual units."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from samssl_cli.errors import RecipeError
from samssl_cli.networks.decoders import Decoder
from samssl_cli.networks.monai_parts import UNet
from samssl_cli.recipe import Network

_NORM = {  # a norm that nobody decided: instance
    "auto": ("instance", {"affine": True}),
    "instance": ("instance", {"affine": True}),
    "batch": ("batch", {}),
}


class _UNetDecoder(Decoder):
    """The upsampling half; its head, the topmost upsampling, ends at full resolution."""

    def __init__(self, ups: Sequence[nn.Module], channels: Sequence[int]) -> None:
        """Take the upsampling blocks and the widths of the levels, finest first."""
        super().__init__(head=ups[0])
        self.ups = nn.ModuleList(reversed(ups[1:]))
        below = (channels[-1], *reversed(channels[:-2]))  # the bottleneck, then each of `ups`
        self.widths = (*below, below[-1] + channels[0])

    def features(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """The bottleneck, each upsampling, and the last one beside the finest level."""
        found = [levels[-1]]
        for up, skip in zip(self.ups, reversed(levels[1:-1]), strict=True):
            found.append(up(torch.cat([skip, found[-1]], dim=1)))
        return [*found, torch.cat([levels[0], found[-1]], dim=1)]


class _UNet(UNet):  # type: ignore[misc]  # monai has no types
    """MONAI's U-Net, whose nested blocks can be taken apart."""

    def _blocks(self) -> tuple[list[nn.Sequential], nn.Module]:
        """The blocks (down, skip connection, up), finest first, and the bottom between them."""
        blocks, inner = [], self.model
        while isinstance(inner, nn.Sequential):
            blocks.append(inner)
            inner = inner[1].submodule
        return blocks, inner

    def encode(self, image: Tensor) -> list[Tensor]:
        """Give the features of every level, from half the resolution on, bottleneck last."""
        blocks, bottom = self._blocks()
        levels: list[Tensor] = []
        for block in blocks:
            levels.append(block[0](levels[-1] if levels else image))
        return [*levels, bottom(levels[-1])]

    def decoder(self) -> Decoder:
        """A view of the upsampling blocks."""
        blocks, _ = self._blocks()
        return _UNetDecoder([block[2] for block in blocks], self.channels)


def unet(options: Network, *, in_channels: int, num_classes: int) -> nn.Module:
    """Build MONAI's U-Net: two convolutions per residual unit, down by strides of 2.

    Shapes: (B, in_channels, I, J, K) float32 to logits (B, num_classes, I, J, K).
    Source: Kerfoot et al., STACOM 2018, doi:10.1007/978-3-030-12029-0_40; MONAI `UNet`.

    Raises:
        RecipeError: when `channels` has less than two levels.
    """
    if len(options.channels) < 2:
        raise RecipeError(
            f"network.channels = {list(options.channels)}: unet needs two levels or more, "
            "for instance [16, 32]"
        )
    network: nn.Module = _UNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=num_classes,
        channels=options.channels,
        strides=(2,) * (len(options.channels) - 1),
        num_res_units=2,
        norm=_NORM[options.norm],
        dropout=options.dropout,
    )
    return network
