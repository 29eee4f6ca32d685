"""Convolutions to a few maps, a map per class, which processors compute in blocks of 16."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.networks.same_size import keeps_size

_BLOCK = 16
"""Maps that a processor's convolution computes together, wanted or not."""


class SubpixelConvolution(nn.Module):
    """A transposed convolution with a kernel of 3 and a stride of 2, done at the lower resolution.

    Each of the 8 voxels that one becomes is a convolution of its own, of at most 2 x 2 x 2 weights.

    Shapes: (B, C, I, J, K) to (B, maps, 2 I, 2 J, 2 K).
    Source: Shi et al., arXiv:1609.07009 (the two are the same).
    """

    _MOST_MAPS = 4
    """Up to here torch's transposed convolution on a CPU is slower than this one and a shuffle."""

    def __init__(self, transposed: nn.ConvTranspose3d) -> None:
        """Take weights over; `is_replaceable` says from which layers that is possible."""
        super().__init__()
        self.maps = transposed.out_channels
        assert transposed.bias is not None
        weight = _phases(transposed.weight.detach())
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last_3d))
        self.bias = nn.Parameter(transposed.bias.detach().repeat(8))

    @classmethod
    def is_replaceable(cls, layer: nn.Module) -> bool:
        """Whether a layer is such a transposed convolution, to a few maps."""
        return (
            isinstance(layer, nn.ConvTranspose3d)
            and layer.out_channels <= cls._MOST_MAPS
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


class SummedConvolution(nn.Module):
    """A convolution to the same size whose weights along the first axis of space became maps.

    One convolution over planes gives what each voxel adds to the voxels before and behind it; the
    sum is taken afterwards. So the maps that a processor computes anyway are used.

    Shapes: (B, C, I, J, K) to (B, maps, I, J, K).
    """

    def __init__(self, layer: nn.Conv3d) -> None:
        """Take weights over; `is_replaceable` says from which layers that is possible."""
        super().__init__()
        self.maps, self.taps = layer.out_channels, layer.kernel_size[0]
        weight = layer.weight.detach().permute(2, 0, 1, 3, 4).flatten(0, 1)[:, :, None]
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last_3d))
        self.bias = layer.bias

    @staticmethod
    def is_replaceable(layer: nn.Module) -> bool:
        """Whether a layer is such a convolution, to so few maps that all weights fit a block."""
        return (
            isinstance(layer, nn.Conv3d)
            and keeps_size(layer)
            and layer.kernel_size[0] > 1
            and layer.out_channels * layer.kernel_size[0] <= _BLOCK
        )

    def forward(self, features: Tensor) -> Tensor:
        """Convolve over planes, then add up what lies `taps` planes apart at the most."""
        reach = self.taps // 2
        given = functional.conv3d(features, self.weight, padding=(0, reach, reach))
        parts = torch.split(given, self.maps, dim=1)  # one for each weight along the axis
        total = parts[reach].contiguous()
        if self.bias is not None:
            total += self.bias[:, None, None, None]
        for shift in range(1, reach + 1):
            total[:, :, shift:] += parts[reach - shift][:, :, :-shift]
            total[:, :, :-shift] += parts[reach + shift][:, :, shift:]
        return total


def _phases(kernel: Tensor) -> Tensor:
    """The weights (C, maps, 3, 3, 3) of the transposed as those (8 maps, C, 2, 2, 2) of the other.

    Along an axis, voxel 2 i is weight 1 of voxel i; voxel 2 i + 1 is weight 2 of voxel i and
    weight 0 of voxel i + 1.
    """
    taps = torch.zeros(2, 3, 2, dtype=kernel.dtype, device=kernel.device)  # phase, weight, voxel
    taps[0, 1, 0] = taps[1, 2, 0] = taps[1, 0, 1] = 1
    phases = torch.einsum("cmxyz,axi,byj,dzk->abdmcijk", kernel, taps, taps, taps)
    return phases.flatten(0, 3)
