"""Low-rank updates of the queries and values of an attention, whatever model it is in."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(Protocol):
    """What has a layer that gives queries, keys and values side by side."""

    qkv: nn.Module


class LoraFactors(nn.Module):
    """The factors of one layer: q += (alpha / r) B_q A_q x, and v likewise.

    A is random, B is zero: at first nothing changes. alpha = r, so that the scale is 1.

    Shapes: A (r, C), B (C, r), for tokens of C channels.
    Source: Hu et al., LoRA, ICLR 2022, arXiv:2106.09685, sec. 4.1 (initialisation; alpha is set to
    the first r that is tried) and 7.1 (queries and values); r = 4 on a SAM: SFR,
    arXiv:2403.11229, after SAMed (Zhang & Liu, arXiv:2304.13785).
    """

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.q_a = nn.Parameter(torch.empty(rank, channels))
        self.q_b = nn.Parameter(torch.zeros(channels, rank))
        self.v_a = nn.Parameter(torch.empty(rank, channels))
        self.v_b = nn.Parameter(torch.zeros(channels, rank))
        for factor in (self.q_a, self.v_a):
            nn.init.kaiming_uniform_(factor, a=5**0.5)  # as the authors' code does

    def update(self) -> Tensor:
        """What is to be added to the weight of the layer: (3 C, C)."""
        nothing = torch.zeros(len(self.q_b), self.q_a.shape[1], device=self.q_a.device)
        return torch.cat([self.q_b @ self.q_a, nothing, self.v_b @ self.v_a])


class LoraQkv(nn.Module):
    """A frozen layer with its low-rank update: W x + b + [B_q A_q x, 0, B_v A_v x].

    Shapes: (..., C) to (..., 3 C).
    """

    def __init__(self, base: nn.Linear, factors: LoraFactors) -> None:
        super().__init__()
        self.base, self.factors = base, factors

    @property
    def bias(self) -> Tensor:
        """That of the frozen layer: low-rank updates have none."""
        return self.base.bias

    def forward(self, tokens: Tensor) -> Tensor:
        """Project tokens."""
        whole: Tensor = self.base(tokens)
        factors = self.factors
        query = functional.linear(functional.linear(tokens, factors.q_a), factors.q_b)
        value = functional.linear(functional.linear(tokens, factors.v_a), factors.v_b)
        return whole + torch.cat([query, torch.zeros_like(query), value], dim=-1)


def add_lora(attentions: Iterable[Attention], *, rank: int) -> nn.ModuleList:
    """Put low-rank updates beside the layers of attentions, in place; give the factors alone."""
    factors = nn.ModuleList()
    for attention in attentions:
        base = attention.qkv
        assert isinstance(base, nn.Linear), type(base)
        own = LoraFactors(base.in_features, rank).to(base.weight.device)
        attention.qkv = LoraQkv(base, own)
        factors.append(own)
    return factors


def blank_factors(attentions: Iterable[Attention], *, rank: int) -> nn.ModuleList:
    """Factors of the same shapes that stand beside no layer, to load others into."""
    widths = [_in_features(attention.qkv) for attention in attentions]
    return nn.ModuleList(LoraFactors(width, rank) for width in widths)


@torch.no_grad()
def merge_lora(attentions: Iterable[Attention], factors: nn.ModuleList) -> None:
    """Add low-rank updates to the weights themselves: the same answers, at no cost."""
    for attention, own in zip(attentions, factors, strict=True):
        assert isinstance(attention.qkv, nn.Linear), type(attention.qkv)
        assert isinstance(own, LoraFactors), type(own)
        attention.qkv.weight += own.update().to(attention.qkv.weight)


def _in_features(layer: nn.Module) -> int:
    assert isinstance(layer, nn.Linear), type(layer)
    return layer.in_features
