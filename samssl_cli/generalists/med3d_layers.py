"""The layers that several parts of SAM-Med3D share; attribute names are those of its weights."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-6
"""Of the image encoder and of `ChannelNorm`; the mask decoder keeps torch's 1e-5."""


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each voxel.

    y = weight * (x - mean_c(x)) / sqrt(var_c(x) + 1e-6) + bias, with the biased variance.

    Shapes: (B, C, I, J, K) in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, I, J, K)."""
        last = x.movedim(1, -1)
        normed = functional.layer_norm(last, self.weight.shape, self.weight, self.bias, NORM_EPS)
        return normed.movedim(-1, 1)


class TwoLayers(nn.Module):
    """lin2(activation(lin1(x))), along the last axis."""

    def __init__(self, width: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., width) to (..., width)."""
        output: Tensor = self.lin2(self.act(self.lin1(x)))
        return output


class Perceptron(nn.Module):
    """Linear layers with ReLU between them, along the last axis."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., widths[0]) to (..., widths[-1])."""
        *hidden, last = self.layers
        for layer in hidden:
            x = functional.relu(layer(x))
        output: Tensor = last(x)
        return output
