"""SAM-Med3D's prompt encoder: clicks and an earlier answer become vectors."""

import math

import torch
from torch import Tensor, nn

from samssl_cli.generalists.med3d_layers import ChannelNorm


class RandomFourier(nn.Module):
    """Positions in a window as sines and cosines of random frequencies.

    e(p) = [sin(t), cos(t), sin(t)],  t = 2 pi (2 p - 1) G,  with p in 0-1 along each axis

    Source: Wang et al., arXiv:2310.15161, after Tancik et al., NeurIPS 2020. The second sine is
    theirs: it brings the width to a multiple of three.
    """

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, num_frequencies: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(3, num_frequencies))

    def forward(self, positions: Tensor) -> Tensor:
        """Encode (..., 3) in 0-1 as (..., 3 * num_frequencies)."""
        angles = 2 * math.pi * (2 * positions - 1) @ self.positional_encoding_gaussian_matrix
        return torch.cat([angles.sin(), angles.cos(), angles.sin()], dim=-1)


class PromptEncoder(nn.Module):
    """Encode clicks as tokens, and the logits of an earlier answer as a map.

    There is no embedding for the corners of a box: this model was never shown one.
    """

    def __init__(self, *, width: int, grid: int, window: int, mask_channels: int) -> None:
        """Build it.

        Args:
            width: channels of a token, a multiple of 3.
            grid: patches along one side of the window.
            window: voxels along one side.
            mask_channels: inside the map's encoder.
        """
        super().__init__()
        self.grid = grid
        self.window = window
        self.pe_layer = RandomFourier(width // 3)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(2))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.no_mask_embed = nn.Embedding(1, width)  # in the weights, but training never used it
        self.mask_downscaling = nn.Sequential(
            nn.Conv3d(1, mask_channels // 4, kernel_size=2, stride=2),
            ChannelNorm(mask_channels // 4),
            nn.GELU(),
            nn.Conv3d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            ChannelNorm(mask_channels),
            nn.GELU(),
            nn.Conv3d(mask_channels, width, kernel_size=1),
        )

    def clicks(self, coordinates: Tensor, is_positive: Tensor) -> Tensor:
        """Encode clicks as tokens.

        Positions are those of voxel centres, in axis order; a last token stands for "no more
        clicks". Positive clicks add the second embedding, negative ones the first.

        Shapes: (B, N, 3) voxels of the window and (B, N) bool to (B, N + 1, width); without any
        click (N = 0) there is no last token either: (B, 0, width).
        """
        tokens: Tensor = self.pe_layer((coordinates + 0.5) / self.window)
        if not coordinates.shape[1]:
            return tokens
        signs = torch.cat(list(self.point_embeddings.parameters()))  # (2, width)
        tokens = tokens + signs[is_positive.long()]
        last = self.not_a_point_embed.weight.expand(len(tokens), 1, -1)
        return torch.cat([tokens, last], dim=1)

    def mask(self, logits: Tensor) -> Tensor:
        """Encode low-resolution logits (B, 1, 4g, 4g, 4g) as a map (B, width, g, g, g)."""
        encoded: Tensor = self.mask_downscaling(logits)
        return encoded

    def grid_positions(self) -> Tensor:
        """The positions of the patches, (1, width, g, g, g).

        Here, and not in `clicks`, the first two axes are swapped. It looks like a slip, but the
        published weights were trained with it.
        """
        ticks = (torch.arange(self.grid) + 0.5) / self.grid
        first, second, third = torch.meshgrid(ticks, ticks, ticks, indexing="ij")
        swapped = torch.stack([second, first, third], dim=-1)
        frequencies = self.pe_layer.positional_encoding_gaussian_matrix
        positions: Tensor = self.pe_layer(swapped.to(frequencies))
        return positions.movedim(-1, 0)[None]
