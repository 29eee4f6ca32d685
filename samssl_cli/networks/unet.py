"""The 3D U-Net with residual units."""

from monai.networks.nets.unet import UNet
from torch import nn

from samssl_cli.errors import RecipeError
from samssl_cli.recipe import Network

_NORM = {  # a norm that nobody decided: instance
    "auto": ("instance", {"affine": True}),
    "instance": ("instance", {"affine": True}),
    "batch": ("batch", {}),
}


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
    network: nn.Module = UNet(
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
