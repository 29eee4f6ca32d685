"""What is trained of a SAM, in 2D or 3D: low-rank updates of its encoder, and its mask decoder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.checkpoint import checkpoint

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.lora import add_lora, blank_factors, merge_lora
from samssl_cli.generalists.state_dict import check_state_dict

_LORA, _DECODER = "lora", "decoder"
_RANK_FROM = f"{_LORA}.0.q_a"


def training_parts(model: Any, *, lora_rank: int) -> nn.ModuleDict:
    """Make a frozen model ready for training, in place, and give what is trained of it.

    From here on a pass with gradients keeps only what enters each block of the encoder, and does
    the rest again on the way back: a third more time, for the memory of one block instead of all.

    Args:
        model: with `image_encoder.blocks`, each with `attn.qkv`, and with a `mask_decoder`.
        lora_rank: of the updates.
    """
    decoder: nn.Module = model.mask_decoder
    for block in model.image_encoder.blocks:
        block.forward = _sparing_memory(block.forward)
    parts = nn.ModuleDict(
        {
            _LORA: add_lora(_attentions(model), rank=lora_rank),
            _DECODER: decoder,
        }
    )
    return parts.requires_grad_(True)


def take_parts(model: Any, tensors: Mapping[str, NDArray[Any]], *, path: Path, name: str) -> None:
    """Merge such parts, as arrays, into a frozen model.

    Args:
        model: the one that the parts are changes to.
        tensors: the state dict of `training_parts`.
        path: where they are from, for messages.
        name: of the model, for messages.

    Raises:
        WeightsError: when they are not finite, or those of another model.
    """
    weights = {key: torch.from_numpy(np.array(array)) for key, array in tensors.items()}
    if _RANK_FROM not in weights:
        raise WeightsError(f"weights {path}: hold no low-rank updates; expected those of {name}")
    attentions = _attentions(model)
    factors = blank_factors(attentions, rank=len(weights[_RANK_FROM]))
    expected = {
        **{f"{_LORA}.{key}": value for key, value in factors.state_dict().items()},
        **{f"{_DECODER}.{key}": value for key, value in model.mask_decoder.state_dict().items()},
    }
    cure = "use them with the weights that they were made from"
    check_state_dict(weights, expected, path, model=f"changes to {name}", cure=cure)
    factors.load_state_dict(_under(_LORA, weights))
    model.mask_decoder.load_state_dict(_under(_DECODER, weights))
    merge_lora(attentions, factors)


def _sparing_memory(forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., Any]:
    def sparing(tokens: torch.Tensor) -> Any:
        if not torch.is_grad_enabled():
            return forward(tokens)
        return checkpoint(forward, tokens, use_reentrant=False, preserve_rng_state=False)

    return sparing


def _attentions(model: Any) -> list[Any]:
    return [block.attn for block in model.image_encoder.blocks]


def _under(prefix: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = f"{prefix}."
    return {key[len(start) :]: value for key, value in weights.items() if key.startswith(start)}
