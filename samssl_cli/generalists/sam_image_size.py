"""A SAM for pictures of another size than it was trained with: its positions are interpolated.

A quarter of the pixels take less than a quarter of the time. How much the answers change depends on
the weights: `benchmarks/sam_image_size.py` measures it.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from samssl_cli.generalists.sam_architecture import Architecture, detect

_ENCODER = "image_encoder"


def resized(
    weights: Mapping[str, Tensor], image_size: int
) -> tuple[Architecture, dict[str, Tensor]]:
    """Give the architecture and the weights for pictures of `image_size` pixels a side.

    The table of absolute positions, (1, grid, grid, C), and those of relative positions of blocks
    that attend globally, (2 grid - 1, c), are interpolated. Blocks that attend within windows stay.

    Args:
        weights: the state dict of a SAM.
        image_size: in pixels.

    Raises:
        ValueError: when the side is no multiple of the side of a token.

    Source: Li et al., ECCV 2022, arXiv:2203.16527 (positions of a ViT at another size); SAMed,
        Zhang & Liu, arXiv:2304.13785, shows SAM pictures of 512 pixels so.
    """
    shape = detect(weights)
    if image_size % shape.patch_size or image_size < shape.patch_size:
        raise ValueError(f"{image_size} pixels are no multiple of {shape.patch_size}")
    grid = image_size // shape.patch_size
    changed = {
        f"{_ENCODER}.pos_embed": _absolute(weights[f"{_ENCODER}.pos_embed"], grid),
    }
    for block in shape.global_indexes:
        for axis in ("h", "w"):
            name = f"{_ENCODER}.blocks.{block}.attn.rel_pos_{axis}"
            changed[name] = _relative(weights[name], grid)
    return replace(shape, image_size=image_size), {**weights, **changed}


def _absolute(table: Tensor, grid: int) -> Tensor:
    """(1, g, g, C) to (1, grid, grid, C)."""
    planes = table.permute(0, 3, 1, 2).float()
    found = functional.interpolate(planes, (grid, grid), mode="bicubic", antialias=True)
    return found.permute(0, 2, 3, 1).contiguous()


def _relative(table: Tensor, grid: int) -> Tensor:
    """(2 g - 1, c) to (2 grid - 1, c), as `segment_anything` itself does it."""
    rows = table.T[None].float()  # (1, c, 2 g - 1)
    found = functional.interpolate(rows, 2 * grid - 1, mode="linear")
    return torch.squeeze(found, 0).T.contiguous()
