"""The shape of a Segment Anything model: read from its weights, and built again from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import torch

from samssl_cli.generalists.torchvision_shim import ensure_torchvision

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
NUM_DECODER_HEADS = 8  # not visible in any shape; the same in every published SAM

_ENCODER = "image_encoder"
_DECODER = "mask_decoder"


@dataclass(frozen=True)
class Architecture:
    """Every size that `segment_anything` needs to build a model (lengths in pixels)."""

    image_size: int
    patch_size: int
    embed_dim: int
    num_heads: int
    mlp_dim: int
    window_size: int
    """In tokens; 0 when every block attends globally."""
    is_global: tuple[bool, ...]
    """(depth,) whether a block attends to all tokens rather than inside windows."""
    prompt_dim: int = 256
    mask_channels: int = 16
    decoder_depth: int = 2
    decoder_mlp_dim: int = 2048
    num_masks: int = 3
    iou_depth: int = 3
    iou_dim: int = 256

    @property
    def global_indexes(self) -> tuple[int, ...]:
        """Which blocks attend to all tokens."""
        return tuple(index for index, is_global in enumerate(self.is_global) if is_global)

    @property
    def grid(self) -> int:
        """Tokens along one side of the image."""
        return self.image_size // self.patch_size


def _official(embed_dim: int, num_heads: int, global_indexes: tuple[int, ...]) -> Architecture:
    depth = global_indexes[-1] + 1
    return Architecture(
        image_size=1024,
        patch_size=16,
        embed_dim=embed_dim,
        num_heads=num_heads,
        mlp_dim=4 * embed_dim,
        window_size=14,
        is_global=tuple(index in global_indexes for index in range(depth)),
    )


OFFICIAL: dict[str, Architecture] = {
    "vit_b": _official(768, 12, (2, 5, 8, 11)),
    "vit_l": _official(1024, 16, (5, 11, 17, 23)),
    "vit_h": _official(1280, 16, (7, 15, 23, 31)),
}
"""The three published sizes (`segment_anything/build_sam.py`)."""


def detect(weights: Mapping[str, torch.Tensor]) -> Architecture:
    """Read the architecture from the shapes of a SAM state dict.

    The head width is the last dimension of a relative position table; a table of 2g - 1 rows, for a
    grid of g x g tokens, belongs to a global block, and one of 2w - 1 rows to windows of w tokens.

    Raises:
        KeyError, ValueError, IndexError, ZeroDivisionError: when these are not a SAM's weights.
    """
    embed_dim, _, patch_size, _ = weights[f"{_ENCODER}.patch_embed.proj.weight"].shape
    grid = weights[f"{_ENCODER}.pos_embed"].shape[1]
    tables = [
        weights[f"{_ENCODER}.blocks.{index}.attn.rel_pos_h"].shape
        for index in range(_count(weights, f"{_ENCODER}.blocks.", ".norm1.weight"))
    ]
    is_global = tuple(rows == 2 * grid - 1 for rows, _ in tables)
    windowed_rows = [rows for rows, _ in tables if rows != 2 * grid - 1]
    head = f"{_DECODER}.iou_prediction_head.layers."
    return Architecture(
        image_size=grid * patch_size,
        patch_size=patch_size,
        embed_dim=embed_dim,
        num_heads=embed_dim // tables[0][1],
        mlp_dim=weights[f"{_ENCODER}.blocks.0.mlp.lin1.weight"].shape[0],
        window_size=(windowed_rows[0] + 1) // 2 if windowed_rows else 0,
        is_global=is_global,
        prompt_dim=weights["prompt_encoder.no_mask_embed.weight"].shape[1],
        mask_channels=weights["prompt_encoder.mask_downscaling.3.weight"].shape[0],
        decoder_depth=_count(weights, f"{_DECODER}.transformer.layers.", ".norm1.weight"),
        decoder_mlp_dim=weights[f"{_DECODER}.transformer.layers.0.mlp.lin1.weight"].shape[0],
        num_masks=weights[f"{_DECODER}.mask_tokens.weight"].shape[0] - 1,
        iou_depth=_count(weights, head, ".weight"),
        iou_dim=weights[f"{head}0.weight"].shape[0],
    )


def build(architecture: Architecture) -> Any:
    """Build a `segment_anything.modeling.Sam` of this shape, with random weights."""
    ensure_torchvision()
    from segment_anything.modeling import Sam

    return Sam(
        image_encoder=_image_encoder(architecture),
        prompt_encoder=_prompt_encoder(architecture),
        mask_decoder=_mask_decoder(architecture),
        pixel_mean=list(PIXEL_MEAN),
        pixel_std=list(PIXEL_STD),
    )


def _image_encoder(shape: Architecture) -> Any:
    from segment_anything.modeling import ImageEncoderViT

    return ImageEncoderViT(
        img_size=shape.image_size,
        patch_size=shape.patch_size,
        embed_dim=shape.embed_dim,
        depth=len(shape.is_global),
        num_heads=shape.num_heads,
        mlp_ratio=Fraction(shape.mlp_dim, shape.embed_dim),  # exact: a float may lose one unit
        out_chans=shape.prompt_dim,
        qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=shape.window_size,
        global_attn_indexes=shape.global_indexes,
    )


def _prompt_encoder(shape: Architecture) -> Any:
    from segment_anything.modeling import PromptEncoder

    return PromptEncoder(
        embed_dim=shape.prompt_dim,
        image_embedding_size=(shape.grid, shape.grid),
        input_image_size=(shape.image_size, shape.image_size),
        mask_in_chans=shape.mask_channels,
    )


def _mask_decoder(shape: Architecture) -> Any:
    from segment_anything.modeling import MaskDecoder, TwoWayTransformer

    return MaskDecoder(
        num_multimask_outputs=shape.num_masks,
        transformer=TwoWayTransformer(
            depth=shape.decoder_depth,
            embedding_dim=shape.prompt_dim,
            mlp_dim=shape.decoder_mlp_dim,
            num_heads=NUM_DECODER_HEADS,
        ),
        transformer_dim=shape.prompt_dim,
        iou_head_depth=shape.iou_depth,
        iou_head_hidden_dim=shape.iou_dim,
    )


def _count(weights: Mapping[str, Any], prefix: str, suffix: str) -> int:
    """How many numbered layers there are: keys `prefix` + number + `suffix`."""
    return sum(
        key.startswith(prefix)
        and key.endswith(suffix)
        and key[len(prefix) : -len(suffix)].isdigit()
        for key in weights
    )
