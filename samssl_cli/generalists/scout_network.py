"""The network of `scout`: a small 3D U-Net that sees the image and the prompts as channels."""

from typing import cast

from torch import Tensor, nn

from samssl_cli.networks.monai_parts import SegResNet

IN_CHANNELS = 6
"""Image, mask, box, clicks inside, clicks outside, likeness: see `scout_prompts.encode`."""

MASK_CHANNEL = 1
LIKENESS_CHANNEL = 5

_FINEST = 8  # feature maps at full resolution; each of the three coarser levels doubles them
_BLOCKS = (1, 2, 4, 8)  # residual blocks of the encoder, most of them where they cost least
_MASK_LOGIT = 3.0  # of a mask, before the network says anything against it


class ScoutNetwork(nn.Module):
    """MONAI's SegResNet, which says what is wrong with the mask.

    logits = 3 (2p - 1) + network(inputs), with p the mask that is asked about, 1/2 where none is.
    Its first layer and its last block work at full resolution, where thin walls are seen.

    Shapes: (B, 6, I, J, K) float32, sides multiples of 8, to logits (B, 1, I, J, K).
    Source: Myronenko, BrainLes 2018, arXiv:1810.11654, without its variational branch and with
    instance normalisation; prompts as extra channels follow Sofiiuk et al., arXiv:2102.06583.
    """

    def __init__(self) -> None:
        """Build it with random weights."""
        super().__init__()
        self.body = SegResNet(
            spatial_dims=3,
            init_filters=_FINEST,
            in_channels=IN_CHANNELS,
            out_channels=1,
            norm=("instance", {"affine": True}),
            blocks_down=_BLOCKS,
            blocks_up=(1,) * (len(_BLOCKS) - 1),
            upsample_mode="deconv",
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, 6, I, J, K) to logits (B, 1, I, J, K)."""
        said = inputs[:, MASK_CHANNEL : MASK_CHANNEL + 1]
        return cast(Tensor, _MASK_LOGIT * said + self.body(inputs))
