"""The residual-encoder U-Net that works at full resolution from its first layer on."""

from monai.networks.nets.segresnet import SegResNet
from torch import nn

from samssl_cli.recipe import Network

_NORM = {  # a norm that nobody decided: instance
    "auto": ("instance", {"affine": True}),
    "instance": ("instance", {"affine": True}),
    "batch": ("batch", {}),
}


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
    network: nn.Module = SegResNet(
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
