"""SAM-Med3D's image encoder: a vision transformer over the cubic patches of one window."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.generalists.med3d_layers import NORM_EPS, ChannelNorm, TwoLayers


class GridAttention(nn.Module):
    """Self-attention of a cubic grid of tokens, with learned biases for relative positions.

    The score of query (i, j, k) for key (x, y, z), with c the channels of a head:

        q(i,j,k) . k(x,y,z) / sqrt(c)
            + q(i,j,k) . D[i - z] + q(i,j,x) . H[j - z] + q(i,j,y) . W[y - z]

    One would expect q(i,j,k) . (D[i - x] + H[j - y] + W[k - z]), and the authors meant that, but
    the published weights were trained with the formula above (their issue 101: two axes were lost
    in a broadcast; a repair, pull request 54, was taken back in 55).

    A grid smaller than `side` stands in the low corner of a cube of that side, whose other tokens
    are zeros: they ask nothing that anyone hears, but their queries, keys and values, which are the
    biases of `qkv`, take part in the scores of all others.

    Shapes: (B, g, g, g, C) in and out, g <= side.
    Source: Wang et al., arXiv:2310.15161; relative positions after Li et al., CVPR 2022 (MViTv2).
    """

    def __init__(self, width: int, num_heads: int, side: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.side = side
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_d = nn.Parameter(torch.zeros(2 * side - 1, width // num_heads))
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // num_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // num_heads))

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend within (B, g, g, g, C)."""
        grid = tokens.shape[1]
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)  # (B, g, g, g, C) each
        fillings = self.qkv.bias.chunk(3)
        key, value = (
            _in_corner(part, filling, (self.side,) * 3)
            for part, filling in zip((key, value), fillings[1:], strict=True)
        )
        rows = _in_corner(query, fillings[0], (grid, grid, self.side))
        attended = functional.scaled_dot_product_attention(
            self._heads(query).flatten(2, 4),  # (B, heads, g^3, c)
            self._heads(key).flatten(2, 4),
            self._heads(value).flatten(2, 4),
            attn_mask=self._position_scores(self._heads(query), self._heads(rows)),
        )
        output: Tensor = self.proj(attended.transpose(1, 2).reshape(tokens.shape))
        return output

    def _heads(self, tokens: Tensor) -> Tensor:
        """(B, I, J, K, C) to (B, heads, I, J, K, c)."""
        return tokens.reshape(*tokens.shape[:-1], self.num_heads, -1).movedim(-2, 1)

    def _position_scores(self, query: Tensor, rows: Tensor) -> Tensor:
        """The terms with D, H and W: (B, heads, g^3, side^3).

        Args:
            query: (B, heads, g, g, g, c).
            rows: (B, heads, g, g, side, c), the queries of each row, continued to the cube's side.
        """
        ticks = torch.arange(self.side, device=query.device)
        steps = ticks[:, None] - ticks + self.side - 1  # (side, side), rows of the tables
        here = steps[: query.shape[2]]
        d = torch.einsum("bnijkc,izc->bnijkz", query, self.rel_pos_d[here])
        h = torch.einsum("bnijxc,jzc->bnijxz", rows, self.rel_pos_h[here])
        w = torch.einsum("bnijyc,yzc->bnijyz", rows, self.rel_pos_w[steps])
        plane = h[..., :, None, :] + w[..., None, :, :]  # (B, heads, i, j, x, y, z)
        scores = d[..., :, None, None, :] + plane[..., None, :, :, :]
        return scores.flatten(5).flatten(2, 4)


def _in_corner(tokens: Tensor, filling: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The tokens (B, i, j, k, C) in the low corner of a box of another token (B, *shape, C)."""
    i, j, k = tokens.shape[1:4]
    if (i, j, k) == shape:
        return tokens
    box = filling.expand(len(tokens), *shape, -1).clone()
    box[:, :i, :j, :k] = tokens
    return box


class EncoderBlock(nn.Module):
    """x + attn(norm1(x)), then x + mlp(norm2(x)).

    The zeros that fill the cube come after `norm1`: they are not normalised.

    Shapes: (B, g, g, g, C) in and out.
    """

    def __init__(self, width: int, num_heads: int, hidden: int, side: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = GridAttention(width, num_heads, side)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = TwoLayers(width, hidden, nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        """Transform (B, g, g, g, C)."""
        x = x + self.attn(self.norm1(x))
        output: Tensor = x + self.mlp(self.norm2(x))
        return output


class PatchEmbedding(nn.Module):
    """One token for each cube of p x p x p voxels: (B, 1, n, n, n) to (B, n/p, n/p, n/p, C)."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(1, width, kernel_size=patch, stride=patch)

    def forward(self, image: Tensor) -> Tensor:
        """Embed (B, 1, n, n, n)."""
        tokens: Tensor = self.proj(image)
        return tokens.movedim(1, -1)


class ImageEncoder(nn.Module):
    """Turn a window of an image into features, one vector for each patch.

    Shapes: (B, 1, n, n, n) to (B, out, n/p, n/p, n/p).
    """

    def __init__(
        self,
        *,
        grid: int,
        patch: int,
        width: int,
        num_heads: int,
        hidden: int,
        sides: Sequence[int],
        out: int,
    ) -> None:
        """Build it.

        Args:
            grid: patches along one side of the window.
            patch: voxels along one side of a patch.
            width: channels of a token.
            num_heads: of each attention.
            hidden: channels inside each block's two layers.
            sides: for each block, tokens along the side of the cube that it attends to.
            out: channels of the features.
        """
        super().__init__()
        self.patch_embed = PatchEmbedding(patch, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, grid, width))
        self.blocks = nn.ModuleList(EncoderBlock(width, num_heads, hidden, side) for side in sides)
        self.neck = nn.Sequential(
            nn.Conv3d(width, out, kernel_size=1, bias=False),
            ChannelNorm(out),
            nn.Conv3d(out, out, kernel_size=3, padding=1, bias=False),
            ChannelNorm(out),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Encode (B, 1, n, n, n)."""
        tokens = self.patch_embed(image) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        features: Tensor = self.neck(tokens.movedim(-1, 1))
        return features
