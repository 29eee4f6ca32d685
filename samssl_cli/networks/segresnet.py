"""The residual-encoder U-Net that works at full resolution from its first layer on."""

from collections.abc import Sequence

from torch import Tensor, nn

from samssl_cli.networks.decoders import Decoder
from samssl_cli.networks.monai_parts import SegResNet
from samssl_cli.recipe import Network

_NORM = {  # a norm that nobody decided: instance
    "auto": ("instance", {"affine": True}),
    "instance": ("instance", {"affine": True}),
    "batch": ("batch", {}),
}


class _SegResNetDecoder(Decoder):
    """The upsampling steps, the blocks after them, and the head."""

    def __init__(self, ups: nn.ModuleList, blocks: nn.ModuleList, head: nn.Module, width: int):
        """Take them from a SegResNet of this width at the finest level."""
        super().__init__(head=head)
        self.ups, self.blocks = ups, blocks
        self.widths = tuple(width * 2**level for level in reversed(range(len(ups) + 1)))

    def features(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """The bottleneck and each upsampling, up to full resolution."""
        found = [levels[-1]]
        for up, block, skip in zip(self.ups, self.blocks, reversed(levels[:-1]), strict=True):
            found.append(block(up(found[-1]) + skip))
        return found


class _SegResNet(SegResNet):  # type: ignore[misc]  # monai has no types
    """MONAI's SegResNet with our names for its two halves."""

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, in_channels, I, J, K) to logits (B, num_classes, I, J, K)."""
        logits: Tensor = self.decoder()(self.encode(image))
        return logits

    def encode(self, image: Tensor) -> list[Tensor]:
        """Give the features of every level, from full resolution on, bottleneck last."""
        _, levels = super().encode(image)
        return list(levels)

    def decoder(self) -> Decoder:
        """A view of the upsampling half."""
        return _SegResNetDecoder(
            self.up_samples, self.up_layers, self.conv_final, self.init_filters
        )


def segresnet(options: Network, *, in_channels: int, num_classes: int) -> nn.Module:
    """Build MONAI's SegResNet with `channels[0]` feature maps at the finest of its four levels.

    Each level doubles them; the other numbers in `channels` are not used. The encoder has 1, 2, 2
    and 4 pre-activated residual blocks, the decoder one a level.

    Shapes: (B, in_channels, I, J, K) float32 to logits (B, num_classes, I, J, K); I, J, K are
    multiples of 8.
    Source: Myronenko, BrainLes 2018, arXiv:1810.11654; MONAI `SegResNet`.
    Differs: no variational branch; instance or batch instead of group normalisation; transposed
    convolutions instead of trilinear upsampling, which are faster on a CPU.
    """
    network: nn.Module = _SegResNet(
        spatial_dims=3,
        init_filters=options.channels[0],
        in_channels=in_channels,
        out_channels=num_classes,
        dropout_prob=options.dropout or None,
        norm=_NORM[options.norm],
        blocks_down=(1, 2, 2, 4),
        blocks_up=(1, 1, 1),
        upsample_mode="deconv",
    )
    return network
