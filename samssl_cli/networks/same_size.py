"""Which convolutions are the plain ones that end at the size that they began with."""

from torch import nn


def keeps_size(layer: nn.Conv3d) -> bool:
    """Whether its kernel is a cube of an odd side, padded with zeros, and moves voxel by voxel."""
    side = layer.kernel_size[0]
    return (
        side % 2 == 1
        and layer.kernel_size == (side, side, side)
        and layer.padding in ((side // 2,) * 3, "same")
        and layer.padding_mode == "zeros"
        and (layer.stride, layer.dilation, layer.groups) == ((1, 1, 1), (1, 1, 1), 1)
    )
