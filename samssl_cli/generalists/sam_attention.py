"""SAM's attention, without ever holding all of its scores.

`segment_anything` writes out every score of every token to every other, adds the two relative
positions in a copy each, and normalises them in another: at 1024 pixels 805 MB each time, in every
global layer. The answers here are the same to rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SCORES_AT_ONCE = 2**20  # 4 MiB: they stay in the processor's cache from product to product


@dataclass(frozen=True)
class _Heads:
    """Queries, keys and values of G heads over a grid, and how they score relative positions."""

    query: Tensor
    """(G, h w, c), as are the two others."""
    key: Tensor
    value: Tensor
    vertical: Tensor
    """(G, h w, h, 1): the score of a query with each row of keys."""
    horizontal: Tensor
    """(G, h w, 1, w): and with each column."""

    def in_single_precision(self) -> "_Heads":
        """The same; bfloat16 has too few digits for scores, and saves no time within the cache."""
        return _Heads(*(getattr(self, field.name).float() for field in fields(self)))

    def rows(self, heads: slice, queries: slice) -> "_Heads":
        """The same for some heads, and for some of their queries."""
        return _Heads(
            self.query[heads, queries],
            self.key[heads],
            self.value[heads],
            self.vertical[heads, queries],
            self.horizontal[heads, queries],
        )


class EncoderAttention(nn.Module):
    """Attention with relative positions, in place of `segment_anything`'s; it has its parameters.

    Shapes: (B, h, w, C) in and out.
    Source: `segment_anything/modeling/image_encoder.py`; Li et al., MViTv2, CVPR 2022,
    arXiv:2112.01526 (decomposed relative positions); Rabe & Staats, arXiv:2112.05682 (attention
    without all scores).
    """

    def __init__(self, attention: Any) -> None:
        """Take over the layers and tables of a `segment_anything` attention."""
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.scale: float = attention.scale
        self.qkv: nn.Module = attention.qkv
        self.proj: nn.Module = attention.proj
        self.rel_pos_h: nn.Parameter = attention.rel_pos_h
        self.rel_pos_w: nn.Parameter = attention.rel_pos_w

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend within (B, h, w, C)."""
        size, height, width, _ = tokens.shape
        projected = self.qkv(tokens).reshape(size, height * width, 3, self.num_heads, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4).flatten(1, 2)  # (G, h w, c) each
        heads = _Heads(query, key, value, *self._positions(query, height, width))
        if tokens.device.type == "cpu" and not torch.is_grad_enabled():
            attended = _in_blocks(heads, self.scale)
        else:
            attended = _at_once(heads, self.scale)
        joined = (
            attended.reshape(size, self.num_heads, height * width, -1)
            .transpose(1, 2)
            .reshape(tokens.shape)
        )
        output: Tensor = self.proj(joined)
        return output

    def _positions(self, query: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        grid = query.reshape(len(query), height, width, -1)
        vertical = torch.einsum("ghwc,hkc->ghwk", grid, _by_distance(self.rel_pos_h, height))
        horizontal = torch.einsum("ghwc,wkc->ghwk", grid, _by_distance(self.rel_pos_w, width))
        return vertical.flatten(1, 2)[..., None], horizontal.flatten(1, 2)[..., None, :]


class DecoderAttention(nn.Module):
    """Attention among tokens and pixels, in place of `segment_anything`'s; it has its parameters.

    Shapes: queries (B, q, C), keys and values (B, k, C), to (B, q, C).
    Source: `segment_anything/modeling/transformer.py`.
    """

    def __init__(self, attention: Any) -> None:
        """Take over the layers of a `segment_anything` attention."""
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.q_proj: nn.Module = attention.q_proj
        self.k_proj: nn.Module = attention.k_proj
        self.v_proj: nn.Module = attention.v_proj
        self.out_proj: nn.Module = attention.out_proj

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Let queries attend to keys."""
        attended = functional.scaled_dot_product_attention(
            self._heads(self.q_proj(q)), self._heads(self.k_proj(k)), self._heads(self.v_proj(v))
        )
        output: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return output

    def _heads(self, tokens: Tensor) -> Tensor:
        """(B, n, C) to (B, heads, n, c)."""
        return tokens.reshape(*tokens.shape[:-1], self.num_heads, -1).transpose(1, 2)


def make_lean(sam: Any) -> None:
    """Put such attentions in the place of those of a `segment_anything.modeling.Sam`."""
    for block in sam.image_encoder.blocks:
        block.attn = EncoderAttention(block.attn)
    transformer = sam.mask_decoder.transformer
    for layer in transformer.layers:
        layer.self_attn = DecoderAttention(layer.self_attn)
        layer.cross_attn_token_to_image = DecoderAttention(layer.cross_attn_token_to_image)
        layer.cross_attn_image_to_token = DecoderAttention(layer.cross_attn_image_to_token)
    transformer.final_attn_token_to_image = DecoderAttention(transformer.final_attn_token_to_image)


def _by_distance(table: Tensor, side: int) -> Tensor:
    """A table (2 side - 1, c) of distances as (side, side, c), for each query and each key."""
    places = torch.arange(side, device=table.device)
    return table[places[:, None] - places + side - 1]


def _at_once(heads: _Heads, scale: float) -> Tensor:
    """All queries with all keys, by torch's fused kernel; what a backward pass needs is kept."""
    positions = (heads.vertical + heads.horizontal).flatten(2)
    return functional.scaled_dot_product_attention(
        heads.query, heads.key, heads.value, attn_mask=positions, scale=scale
    )


def _in_blocks(heads: _Heads, scale: float) -> Tensor:
    """A few queries at a time; torch's own kernel for processors asks for all positions added."""
    heads = heads.in_single_precision()
    attended = torch.empty_like(heads.query, memory_format=torch.contiguous_format)
    for block in _blocks(*heads.query.shape[:2]):
        part = heads.rows(*block)
        scores = (part.vertical + part.horizontal).flatten(2)
        scores.baddbmm_(part.query, part.key.mT, alpha=scale)
        torch.softmax(scores, -1, out=scores)
        attended[block] = scores @ part.value
    return attended


def _blocks(num_heads: int, num_tokens: int) -> Iterator[tuple[slice, slice]]:
    """Heads and queries that together have about `_SCORES_AT_ONCE` scores."""
    queries = min(max(_SCORES_AT_ONCE // num_tokens, 1), num_tokens)
    heads = max(_SCORES_AT_ONCE // (queries * num_tokens), 1)
    for head in range(0, num_heads, heads):
        for query in range(0, num_tokens, queries):
            yield slice(head, head + heads), slice(query, query + queries)
