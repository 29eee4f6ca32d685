"""The network of `scout`: a small 3D U-Net that sees the image and the prompts as channels."""

from typing import cast

import torch
from monai.networks.nets.unet import UNet
from torch import Tensor, nn

IN_CHANNELS = 6
"""Image, mask, box, clicks inside, clicks outside, likeness: see `scout_prompts.encode`."""

MASK_CHANNEL = 1

_FEATURES = (24, 48, 112, 160)
_FINEST = 4  # feature maps at full resolution, where they cost most
_HEAD = 8
_MASK_LOGIT = 3.0  # of a mask, before the network says anything against it


class ScoutNetwork(nn.Module):
    """MONAI's residual U-Net, whose finest features meet the inputs again in a thin head.

    logits = 3 (2p - 1) + head(inputs, body(inputs)), with p the mask that is asked about, 1/2 where
    none is: what is learned is what is wrong with the mask.

    Shapes: (B, 6, I, J, K) float32, sides multiples of 8, to logits (B, 1, I, J, K).
    Source: the blocks are MONAI's (Kerfoot et al., STACOM 2018); prompts as extra channels follow
    Sofiiuk et al., arXiv:2102.06583.
    """

    def __init__(self) -> None:
        """Build it with random weights."""
        super().__init__()
        norm = ("instance", {"affine": True})
        self.body = UNet(
            spatial_dims=3,
            in_channels=IN_CHANNELS,
            out_channels=_FINEST,
            channels=_FEATURES,
            strides=(2, 2, 2),
            num_res_units=2,
            norm=norm,
        )
        self.head = nn.Sequential(
            nn.Conv3d(IN_CHANNELS + _FINEST, _HEAD, 3, padding=1),
            nn.InstanceNorm3d(_HEAD, affine=True),
            nn.LeakyReLU(0.01),
            nn.Conv3d(_HEAD, 1, 1),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, 6, I, J, K) to logits (B, 1, I, J, K)."""
        said = inputs[:, MASK_CHANNEL : MASK_CHANNEL + 1]
        correction = self.head(torch.cat([inputs, self.body(inputs)], dim=1))
        return cast(Tensor, _MASK_LOGIT * said + correction)
