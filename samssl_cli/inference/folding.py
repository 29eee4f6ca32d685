"""The same network with fewer passes over its feature maps, for predicting alone."""

import torch
from monai.networks.blocks.convolutions import Convolution
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_FEW_MAPS = 4
"""Up to here torch's transposed convolution on a CPU is slower than a convolution and a shuffle."""


def fold_for_inference(network: nn.Module) -> None:
    """Change a trained network in place, so that it predicts the same in less time on a CPU.

    Of MONAI's blocks of convolution, normalisation and activation, batch normalisation becomes part
    of the convolution's weights, and PReLU with one slope works in place. A last upsampling to a
    few maps, a map per class, becomes a convolution at the lower resolution. Whatever else there
    is stays as it is. The network can not be trained on, and its weights have other names.

    Args:
        network: in evaluation mode, with its final weights, on the CPU.
    """
    for block in list(network.modules()):
        if isinstance(block, Convolution):
            _fold(block)


class SubpixelConvolution(nn.Module):
    """A transposed convolution with a kernel of 3 and a stride of 2, done at the lower resolution.

    Each of the 8 voxels that one becomes is a convolution of its own, of at most 2 x 2 x 2 weights.

    Shapes: (B, C, I, J, K) to (B, maps, 2 I, 2 J, 2 K).
    Source: Shi et al., arXiv:1609.07009 (the two are the same).
    """

    def __init__(self, transposed: nn.ConvTranspose3d) -> None:
        """Take weights over; `is_replaceable` says from which layers that is possible."""
        super().__init__()
        self.maps = transposed.out_channels
        assert transposed.bias is not None
        weight = _phases(transposed.weight.detach())
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last_3d))
        self.bias = nn.Parameter(transposed.bias.detach().repeat(8))

    @staticmethod
    def is_replaceable(layer: nn.Module) -> bool:
        """Whether a layer is such a transposed convolution, to a few maps."""
        return (
            isinstance(layer, nn.ConvTranspose3d)
            and layer.out_channels <= _FEW_MAPS
            and layer.bias is not None
            and layer.groups == 1
            and (layer.kernel_size, layer.stride) == ((3, 3, 3), (2, 2, 2))
            and (layer.padding, layer.output_padding) == ((1, 1, 1), (1, 1, 1))
            and layer.dilation == (1, 1, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Double the resolution."""
        beyond = functional.pad(features, (0, 1, 0, 1, 0, 1))
        phases = functional.conv3d(beyond, self.weight, self.bias)
        size, _, i, j, k = phases.shape
        apart = phases.reshape(size, 2, 2, 2, self.maps, i, j, k)
        return apart.permute(0, 4, 5, 1, 6, 2, 7, 3).reshape(size, self.maps, 2 * i, 2 * j, 2 * k)


class LeakyInPlace(nn.Module):
    """PReLU with one slope, which overwrites its input."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, features: Tensor) -> Tensor:
        """Multiply what is below 0 by the slope."""
        return functional.leaky_relu_(features, self.slope)


def _fold(block: Convolution) -> None:
    after = dict(block.adn.named_children()) if hasattr(block, "adn") else {}
    if next(iter(after), "") == "N" and isinstance(after["N"], nn.BatchNorm3d):
        is_transposed = isinstance(block.conv, nn.ConvTranspose3d)
        block.conv = fuse_conv_bn_eval(block.conv, after["N"], transpose=is_transposed)
        block.adn.N = nn.Identity()
    activation = after.get("A")
    if isinstance(activation, nn.PReLU) and activation.num_parameters == 1:
        block.adn.A = LeakyInPlace(float(activation.weight.item()))
    if SubpixelConvolution.is_replaceable(block.conv):
        block.conv = SubpixelConvolution(block.conv)


def _phases(kernel: Tensor) -> Tensor:
    """The weights (C, maps, 3, 3, 3) of the transposed as those (8 maps, C, 2, 2, 2) of the other.

    Along an axis, voxel 2 i is weight 1 of voxel i; voxel 2 i + 1 is weight 2 of voxel i and
    weight 0 of voxel i + 1.
    """
    taps = torch.zeros(2, 3, 2, dtype=kernel.dtype, device=kernel.device)  # phase, weight, voxel
    taps[0, 1, 0] = taps[1, 2, 0] = taps[1, 0, 1] = 1
    phases = torch.einsum("cmxyz,axi,byj,dzk->abdmcijk", kernel, taps, taps, taps)
    return phases.flatten(0, 3)
