"""Instance normalisation of maps whose values lie voxel by voxel, as convolutions want them.

torch's own copies such maps into the other order and leaves them there, so that the next
convolution has to copy them back.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_FEW_MAPS = 8
"""With fewer, sums over voxels have too little to add at a time."""


class InstanceNorm(nn.Module):
    """An affine instance normalisation of channels-last maps. For predicting alone.

    Shapes: (B, maps, I, J, K) to the same, in the same order in memory.
    Source: Ulyanov et al., arXiv:1607.08022.
    """

    def __init__(self, layer: nn.InstanceNorm3d) -> None:
        """Take scale and offset over; `is_replaceable` says from which layers that is possible."""
        super().__init__()
        self.weight, self.bias, self.eps = layer.weight, layer.bias, layer.eps

    @staticmethod
    def is_replaceable(layer: nn.Module) -> bool:
        """Whether a layer is such a normalisation, without running statistics."""
        return (
            isinstance(layer, nn.InstanceNorm3d) and layer.affine and not layer.track_running_stats
        )

    def forward(self, features: Tensor) -> Tensor:
        """Give every map of every item mean 0 and variance 1, then scale and offset."""
        size, maps, i, j, k = features.shape
        is_last = features.is_contiguous(memory_format=torch.channels_last_3d)
        if maps < _FEW_MAPS or not is_last:  # one group per map: torch's faster way to the same
            return functional.group_norm(
                features.contiguous(), maps, self.weight, self.bias, self.eps
            )
        planes = features.permute(0, 2, 3, 4, 1).view(size, i, j * k, maps)
        mean = planes.sum(2).sum(1) / (i * j * k)  # plane by plane, which also rounds less
        centred = planes - mean[:, None, None]
        variance = centred.square().sum(2).sum(1) / (i * j * k)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        torch.addcmul(self.bias, centred, scale[:, None, None], out=centred)
        return centred.view(size, i, j, k, maps).permute(0, 4, 1, 2, 3)
