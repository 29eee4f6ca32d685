from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from samssl_cli.generalists.med3d_architecture import Architecture, Med3d
from samssl_cli.generalists.scout_network import ScoutNetwork
from samssl_cli.generalists.torchvision_shim import ensure_torchvision

ensure_torchvision()

from segment_anything.modeling import (  # noqa: E402  (needs torchvision)
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sam() -> Any:
    """A genuine but tiny SAM: 64 pixels, 8 x 8 tokens, windows of 3, random weights."""
    torch.manual_seed(7)
    model = Sam(
        image_encoder=ImageEncoderViT(
            img_size=64,
            patch_size=8,
            embed_dim=32,
            depth=2,
            num_heads=2,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=3,
            global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(256, (8, 8), (64, 64), mask_in_chans=16),
        mask_decoder=MaskDecoder(
            transformer_dim=256,
            transformer=TwoWayTransformer(2, 256, num_heads=8, mlp_dim=64),
        ),
    )
    with torch.no_grad():  # position tables start at zero: give them something to get wrong
        for name, parameter in model.named_parameters():
            if "pos" in name:
                parameter.normal_(std=0.2)
    return model.requires_grad_(False).eval()


@pytest.fixture
def tiny_sam(sam: Any, tmp_path: Path) -> Path:
    """The tiny SAM as a .pth file."""
    path = tmp_path / "tiny.pth"
    torch.save(sam.state_dict(), path)
    return path


@pytest.fixture
def image() -> np.ndarray:
    """(1, 20, 14, 6) float32: a smooth random volume, different along every axis."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 3, 20)[:, None, None] + np.linspace(0, 1, 14)[:, None]
    return (ramp + rng.normal(size=(1, 20, 14, 6))).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_shape() -> Architecture:
    """A SAM-Med3D for windows of 32 voxels: 4 x 4 x 4 tokens in cubes of 7 x 7 x 7."""
    return Architecture(
        window=32,
        patch=8,
        encoder_width=24,
        num_heads=2,
        encoder_hidden=48,
        attention_side=7,
        is_global=(False, True),
        width=48,
        mask_channels=16,
        decoder_hidden=32,
        iou_hidden=16,
    )


@pytest.fixture(scope="session")
def med3d(tiny_shape: Architecture) -> Med3d:
    """A tiny SAM-Med3D with random weights."""
    torch.manual_seed(3)
    model = Med3d(tiny_shape)
    with torch.no_grad():  # tables of positions start at zero: give them something to get wrong
        for name, parameter in model.named_parameters():
            if "pos" in name:
                parameter.normal_(std=0.5)
    return model.requires_grad_(False).eval()


@pytest.fixture(scope="session")
def sam2() -> Any:
    """A genuine but tiny SAM 2.1: pictures of 64 pixels, random weights."""
    transformers = pytest.importorskip("transformers")
    side, width = 64, 128  # twice the 64 numbers of a memory, which transformers relies on
    sizes = [[side // stride] * 2 for stride in (4, 8, 16)]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [side, side],
        "hidden_size": 8,
        "embed_dim_per_stage": [8, 16, 32, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [8, 4, 2, 1],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": sizes,
        "fpn_hidden_size": width,
    }
    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": width, "image_size": side},
        mask_decoder_config={"hidden_size": width, "mlp_dim": 32, "num_attention_heads": 2},
        image_size=side,
        memory_attention_hidden_size=width,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=sizes[-1],
        memory_encoder_hidden_size=width,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=32,
    )
    torch.manual_seed(5)
    model = transformers.Sam2VideoModel(config)
    with torch.no_grad():  # much of it starts at zero: give it something to get wrong
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and "norm" not in name:
                parameter.normal_(std=0.1)
            elif not parameter.any() or "embed" in name or "pos" in name:
                parameter.normal_(std=0.3)
            elif parameter.ndim > 1:
                parameter.mul_(4)
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5)  # the object is in sight
    return model.requires_grad_(False).eval()


@pytest.fixture
def sam2_folder(sam2: Any, tmp_path: Path) -> Path:
    """The tiny SAM 2 as transformers saves it."""
    sam2.save_pretrained(tmp_path / "sam2-tiny")
    return tmp_path / "sam2-tiny"


@pytest.fixture(scope="session")
def scout_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of `scout`, in half precision as those in the package are."""
    torch.manual_seed(11)
    path = tmp_path_factory.mktemp("scout") / "random.safetensors"
    save_file({name: value.half() for name, value in ScoutNetwork().state_dict().items()}, path)
    return path
