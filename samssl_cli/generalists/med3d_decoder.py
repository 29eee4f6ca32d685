"""SAM-Med3D's mask decoder: prompt tokens and image features look at each other twice."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.generalists.med3d_layers import ChannelNorm, Perceptron, TwoLayers

NUM_HEADS = 8  # not visible in any shape


class CrossAttention(nn.Module):
    """Multi-head attention, in a narrower space: out(softmax(q k^T / sqrt(c)) v).

    Shapes: (B, N, C), (B, M, C), (B, M, C) to (B, N, C).
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend from N tokens to M."""
        projected = (self.q_proj(query), self.k_proj(key), self.v_proj(value))
        heads = [part.unflatten(-1, (NUM_HEADS, -1)).transpose(1, 2) for part in projected]
        attended = functional.scaled_dot_product_attention(*heads)  # (B, heads, N, c)
        output: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return output


class TwoWayBlock(nn.Module):
    """Tokens attend to tokens, then to the image, and the image attends to the tokens.

    The first block has no positions yet: there, tokens are replaced by what they attend to.
    Source: Kirillov et al., ICCV 2023, arXiv:2304.02643, fig. 14.
    """

    def __init__(self, width: int, hidden: int, *, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.self_attn = CrossAttention(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = CrossAttention(width, width // 2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = TwoLayers(width, hidden, nn.ReLU())
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = CrossAttention(width, width // 2)

    def forward(
        self, tokens: Tensor, image: Tensor, token_positions: Tensor, image_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update tokens (B, N, C) and image (B, g^3, C)."""
        if self.is_first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_positions
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        placed_image = image + image_positions
        seen = self.cross_attn_token_to_image(tokens + token_positions, placed_image, image)
        tokens = self.norm2(tokens + seen)
        tokens = self.norm3(tokens + self.mlp(tokens))
        told = self.cross_attn_image_to_token(placed_image, tokens + token_positions, tokens)
        return tokens, self.norm4(image + told)


class TwoWayTransformer(nn.Module):
    """Two-way blocks, and a last look of the tokens at the image."""

    def __init__(self, width: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(width, hidden, is_first=index == 0) for index in range(depth)
        )
        self.final_attn_token_to_image = CrossAttention(width, width // 2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, image: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Update tokens (B, N, C) and image (B, g^3, C); the tokens are their own positions."""
        own = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, own, positions)
        seen = self.final_attn_token_to_image(tokens + own, image + positions, image)
        return self.norm_final_attn(tokens + seen), image


class MaskDecoder(nn.Module):
    """Draw a mask from features and an encoded prompt.

    Of its four masks the first is the one that was trained; the other three are not drawn.
    """

    def __init__(self, *, width: int, hidden: int, depth: int, iou_hidden: int) -> None:
        """Build it.

        Args:
            width: channels of tokens and features.
            hidden: channels inside each block's two layers.
            depth: two-way blocks.
            iou_hidden: channels inside the head that rates masks.
        """
        super().__init__()
        self.transformer = TwoWayTransformer(width, hidden, depth)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(4, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose3d(width, width // 4, kernel_size=2, stride=2),
            ChannelNorm(width // 4),
            nn.GELU(),
            nn.ConvTranspose3d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Perceptron((width, width, width, width // 8)) for _ in range(4)
        )
        self.iou_prediction_head = Perceptron((width, iou_hidden, iou_hidden, 4))

    def forward(
        self, features: Tensor, positions: Tensor, clicks: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Draw B masks about one window.

        Shapes: features and positions (1, C, g, g, g), clicks (B, N, C), mask (B, C, g, g, g) to
        logits (B, 1, 4g, 4g, 4g), cut at 0, and their ratings (B,), unclipped.
        """
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(len(clicks), -1, -1), clicks], dim=1)
        image = (features + mask).flatten(2).transpose(1, 2)  # (B, g^3, C)
        tokens, image = self.transformer(tokens, image, positions.flatten(2).transpose(1, 2))
        drawn = self.output_upscaling(image.transpose(1, 2).unflatten(2, mask.shape[2:]))
        brush = self.output_hypernetworks_mlps[0](tokens[:, 1])  # (B, C / 8)
        logits = torch.einsum("bc,bcijk->bijk", brush, drawn)[:, None]
        return logits, self.iou_prediction_head(tokens[:, 0])[:, 0]
