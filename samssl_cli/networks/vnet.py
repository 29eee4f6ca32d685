"""The V-Net, with the number of feature maps and the normalisation left open."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from samssl_cli.networks.decoders import Decoder
from samssl_cli.networks.monai_parts import vnet_blocks as blocks
from samssl_cli.recipe import Network

_ACTIVATION = ("elu", {"inplace": True})


class _VNetDecoder(Decoder):
    """The four upsampling blocks and the head."""

    def __init__(self, ups: nn.ModuleList, head: nn.Module, width: int) -> None:
        """Take them from a V-Net of this width."""
        super().__init__(head=head)
        self.ups = ups
        self.widths = (16 * width, 16 * width, 8 * width, 4 * width, 2 * width)

    def features(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """The bottleneck and each upsampling, up to full resolution."""
        found = [levels[-1]]
        for up, skip in zip(self.ups, reversed(levels[:-1]), strict=True):
            found.append(up(found[-1], skip))
        return found


class _VNet(nn.Module):
    """MONAI's V-Net blocks with `width` instead of 16 feature maps at the finest level."""

    def __init__(self, in_channels: int, num_classes: int, width: int, dropout: float) -> None:
        """Stack five levels; `dropout` acts on the two coarsest, and on their skip connections."""
        super().__init__()
        self.width = width
        up = (dropout, dropout)
        self.stem = blocks.InputTransition(3, 1, width, _ACTIVATION)
        self.mix = nn.Conv3d(in_channels, 1, 1) if in_channels > 1 else nn.Identity()
        self.down = nn.ModuleList(
            blocks.DownTransition(3, width * 2**level, num_convs, _ACTIVATION, rate)
            for level, num_convs, rate in (
                (0, 1, None),
                (1, 2, None),
                (2, 3, dropout),
                (3, 2, dropout),
            )
        )
        self.up = nn.ModuleList(
            blocks.UpTransition(3, width * wide, width * narrow, num_convs, _ACTIVATION, rates)
            for wide, narrow, num_convs, rates in (
                (16, 16, 2, up),
                (16, 8, 2, up),
                (8, 4, 1, (None, 0.0)),
                (4, 2, 1, (None, 0.0)),
            )
        )
        self.head = blocks.OutputTransition(3, width * 2, num_classes, _ACTIVATION)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, in_channels, I, J, K) to logits (B, num_classes, I, J, K)."""
        return cast(Tensor, self.decoder()(self.encode(image)))

    def encode(self, image: Tensor) -> list[Tensor]:
        """Give the features of every level, from full resolution on, bottleneck last."""
        levels = [self.stem(self.mix(image))]
        for down in self.down:
            levels.append(down(levels[-1]))
        return levels

    def decoder(self) -> Decoder:
        """A view of the upsampling half."""
        return _VNetDecoder(self.up, self.head, self.width)


def vnet(options: Network, *, in_channels: int, num_classes: int) -> nn.Module:
    """Build a V-Net with `channels[0]` feature maps at the finest of its five levels.

    Shapes: (B, in_channels, I, J, K) float32 to logits (B, num_classes, I, J, K); I, J, K are
    multiples of 16.
    Source: Milletari et al., 3DV 2016, arXiv:1606.04797; the blocks are MONAI's.
    Differs: several channels are mixed into one by a learned 1x1x1 convolution before the stem,
    whose skip connection repeats its input; instance normalisation can replace batch
    normalisation; dropout acts on the two coarsest levels alone, as in the V-Net of UA-MT (Yu et
    al., MICCAI 2019).
    """
    network = _VNet(in_channels, num_classes, options.channels[0], options.dropout)
    if options.norm != "batch":
        _use_instance_norm(network)
    return network


def _use_instance_norm(module: nn.Module) -> None:
    """Replace every batch normalisation below `module` by an affine instance normalisation."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm3d):
            setattr(module, name, nn.InstanceNorm3d(child.num_features, affine=True))
        else:
            _use_instance_norm(child)
