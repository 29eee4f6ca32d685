"""SAM 2 as Meta publishes it, told to transformers: the names of its tensors, and its sizes.

Source: facebookresearch/sam2 (`sam2/modeling`, `sam2/configs/sam2.1`); the counterpart of each name
in transformers follows its `convert_sam2_video_to_hf.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

from samssl_cli.generalists.state_dict import StateDict

_THREE_LAYERS = {"0": "proj_in", "1": "layers.0", "2": "proj_out"}
_TWO_LAYERS = {"0": "proj_in", "1": "proj_out"}
_MASK_EMBED = {"0": "conv1", "1": "layer_norm1", "3": "conv2", "4": "layer_norm2", "6": "conv3"}
_UPSCALE = {"0": "conv1", "1": "layer_norm", "3": "conv2"}
_DOWNSAMPLE = {
    **{str(3 * n): f"layers.{n}.conv" for n in range(4)},
    **{str(3 * n + 1): f"layers.{n}.layer_norm" for n in range(4)},
    "12": "final_conv",
}
_NUMBERED: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (r"(trunk\.blocks\.\d+\.mlp)\.layers\.(\d+)", r"\1.{}", _TWO_LAYERS),
    (r"(sam_mask_decoder\.transformer\.layers\.\d+\.mlp)\.layers\.(\d+)", r"\1.{}", _TWO_LAYERS),
    (r"(output_hypernetworks_mlps\.\d+)\.layers\.(\d+)", r"\1.{}", _THREE_LAYERS),
    (r"(iou_prediction_head|pred_obj_score_head)\.layers\.(\d+)", r"\1.{}", _THREE_LAYERS),
    (r"(obj_ptr_proj)\.layers\.(\d+)", r"\1.{}", _THREE_LAYERS),
    (r"(sam_prompt_encoder)\.mask_downscaling\.(\d+)", r"\1.mask_embed.{}", _MASK_EMBED),
    (r"(sam_mask_decoder)\.output_upscaling\.(\d+)", r"\1.upscale_{}", _UPSCALE),
    (r"(mask_downsampler)\.encoder\.(\d+)", r"\1.{}", _DOWNSAMPLE),
)
"""Where Meta numbers the steps of a sequence, and transformers names them."""

_RENAMED: tuple[tuple[str, str], ...] = (
    (
        r"^image_encoder\.trunk\.patch_embed\.proj\.",
        "vision_encoder.backbone.patch_embed.projection.",
    ),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"pe_layer\.positional_encoding_gaussian_matrix$", "shared_embedding.positional_embedding"),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"\.gamma$", ".scale"),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"\.norm", ".layer_norm"),
    (r"\.out_proj\.", ".o_proj."),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
)

_POINTS = "prompt_encoder.point_embed.weight"
_POSITIONS = ("prompt_encoder.shared_embedding", "shared_image_embedding")


@dataclass(frozen=True)
class Backbone:
    """What the shapes of a Hiera's tensors do not say."""

    name: str
    num_heads: int
    """Of the first stage; each further one has twice as many."""
    global_blocks: tuple[int, ...]
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)


BACKBONES: dict[tuple[int, tuple[int, ...]], Backbone] = {
    (96, (1, 2, 7, 2)): Backbone("hiera tiny", 1, (5, 7, 9)),
    (96, (1, 2, 11, 2)): Backbone("hiera small", 1, (7, 10, 13)),
    (112, (2, 3, 16, 3)): Backbone("hiera base+", 2, (12, 16, 20)),
    (144, (2, 6, 36, 4)): Backbone("hiera large", 2, (23, 33, 43), (8, 4, 16, 8)),
}
"""The published sizes, by the width of the first stage and the blocks of each."""


def is_published_form(weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether the names are Meta's."""
    return any(key.startswith("image_encoder.trunk.") for key in weights)


def renamed(weights: Mapping[str, torch.Tensor]) -> StateDict:
    """The same tensors under the names that transformers has for them.

    Four embeddings of points become one table of four rows. A name that nobody knows stays, so that
    a check of all names finds it.
    """
    found = {_rename(key): value for key, value in weights.items()}
    rows = [f"prompt_encoder.point_embeddings.{number}.weight" for number in range(4)]
    if all(row in found for row in rows):
        found[_POINTS] = torch.cat([found.pop(row) for row in rows])
    return found


def with_shared_positions(weights: StateDict) -> StateDict:
    """Give the table of positions both of its names, where the file has one of them."""
    one, other = (f"{prefix}.positional_embedding" for prefix in _POSITIONS)
    table = weights.get(one, weights.get(other))
    return weights if table is None else {one: table, other: table, **weights}


def config_of(weights: Mapping[str, torch.Tensor], *, side: int) -> dict[str, Any]:
    """The `config.json` of renamed tensors; what does not follow from them has its default.

    Args:
        weights: as `renamed` gives them.
        side: pixels of the square that the model sees, which the tensors do not say.

    Raises:
        LookupError: when they are of no published size.
    """
    widths = _block_widths(weights)
    stages = [(width, len(list(group))) for width, group in groupby(widths)]
    backbone = BACKBONES[stages[0][0], tuple(count for _, count in stages)]
    background = weights["vision_encoder.backbone.pos_embed"].shape[-1]
    sizes = [side // 4, side // 8, side // 16]
    return {
        "model_type": "sam2_video",
        "image_size": side,
        "vision_config": {
            "model_type": "sam2_vision_model",
            "backbone_channel_list": [width for width, _ in reversed(stages)],
            "backbone_feature_sizes": [[size, size] for size in sizes],
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "image_size": [side, side],
                "hidden_size": stages[0][0],
                "num_attention_heads": backbone.num_heads,
                "embed_dim_per_stage": [width for width, _ in stages],
                "blocks_per_stage": [count for _, count in stages],
                "num_attention_heads_per_stage": [backbone.num_heads * 2**n for n in range(4)],
                "window_size_per_stage": list(backbone.windows),
                "global_attention_blocks": list(backbone.global_blocks),
                "window_positional_embedding_background_size": [background, background],
            },
        },
        "prompt_encoder_config": {"image_size": side},
        "memory_attention_rope_feat_sizes": [sizes[-1], sizes[-1]],
        "enable_occlusion_spatial_embedding": "occlusion_spatial_embedding_parameter" in weights,
        "enable_temporal_pos_encoding_for_object_pointers": (
            "temporal_positional_encoding_projection_layer.weight" in weights
        ),
    }


def _rename(key: str) -> str:
    for pattern, form, names in _NUMBERED:
        match = re.search(pattern, key)
        if match and match[2] in names:
            key = re.sub(pattern, form.format(names[match[2]]), key)
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return key


def _block_widths(weights: Mapping[str, torch.Tensor]) -> list[int]:
    prefix, suffix = "vision_encoder.backbone.blocks.", ".attn.proj.weight"
    widths: list[int] = []
    while (weight := weights.get(f"{prefix}{len(widths)}{suffix}")) is not None:
        widths.append(int(weight.shape[0]))
    if not widths:
        raise LookupError("no blocks")
    return widths
