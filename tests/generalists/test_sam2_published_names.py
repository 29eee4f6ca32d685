import math
import re
from itertools import product

import pytest
import torch

from samssl_cli.errors import WeightsError
from samssl_cli.generalists import state_dict
from samssl_cli.generalists.sam2_published_names import (
    BACKBONES,
    config_of,
    is_published_form,
    renamed,
    with_shared_positions,
)
from samssl_cli.generalists.sam2_weights import identify_sam2, load_sam2, require_transformers

# every name in a published file, as Meta's own network has them; {…} are alternatives
META = """
maskmem_tpos_enc no_mem_embed no_mem_pos_enc no_obj_ptr no_obj_embed_spatial
mask_downsample.{weight,bias} obj_ptr_proj.layers.{0,1,2}.{weight,bias}
obj_ptr_tpos_proj.{weight,bias}
image_encoder.trunk.pos_embed image_encoder.trunk.pos_embed_window
image_encoder.trunk.patch_embed.proj.{weight,bias}
image_encoder.trunk.blocks.{BLOCKS}.{norm1,norm2,attn.qkv,attn.proj}.{weight,bias}
image_encoder.trunk.blocks.{BLOCKS}.mlp.layers.{0,1}.{weight,bias}
image_encoder.trunk.blocks.{WIDER}.proj.{weight,bias}
image_encoder.neck.convs.{0,1,2,3}.conv.{weight,bias}
memory_attention.layers.{0,1,2,3}.{self_attn,cross_attn_image}.{q,k,v,out}_proj.{weight,bias}
memory_attention.layers.{0,1,2,3}.{linear1,linear2,norm1,norm2,norm3}.{weight,bias}
memory_attention.norm.{weight,bias}
memory_encoder.mask_downsampler.encoder.{0,1,3,4,6,7,9,10,12}.{weight,bias}
memory_encoder.fuser.layers.{0,1}.gamma
memory_encoder.fuser.layers.{0,1}.{dwconv,norm,pwconv1,pwconv2}.{weight,bias}
memory_encoder.{out_proj,pix_feat_proj}.{weight,bias}
sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
sam_prompt_encoder.point_embeddings.{0,1,2,3}.weight
sam_prompt_encoder.{not_a_point_embed,no_mask_embed}.weight
sam_prompt_encoder.mask_downscaling.{0,1,3,4,6}.{weight,bias}
sam_mask_decoder.{iou_token,mask_tokens,obj_score_token}.weight
sam_mask_decoder.{conv_s0,conv_s1,output_upscaling.0,output_upscaling.1}.{weight,bias}
sam_mask_decoder.output_upscaling.3.{weight,bias}
sam_mask_decoder.output_hypernetworks_mlps.{0,1,2,3}.layers.{0,1,2}.{weight,bias}
sam_mask_decoder.{iou_prediction_head,pred_obj_score_head}.layers.{0,1,2}.{weight,bias}
sam_mask_decoder.transformer.layers.{0,1}.{norm1,norm2,norm3,norm4,mlp.layers.0}.{weight,bias}
sam_mask_decoder.transformer.layers.{0,1}.mlp.layers.1.{weight,bias}
sam_mask_decoder.transformer.layers.{0,1}.self_attn.{q,k,v,out}_proj.{weight,bias}
sam_mask_decoder.transformer.layers.{0,1}.cross_attn_{a,b}.{q,k,v,out}_proj.{weight,bias}
sam_mask_decoder.transformer.{final_attn_token_to_image}.{q,k,v,out}_proj.{weight,bias}
sam_mask_decoder.transformer.norm_final_attn.{weight,bias}
""".replace("cross_attn_{a,b}", "{cross_attn_token_to_image,cross_attn_image_to_token}")


def published_names(stages: tuple[int, ...]) -> list[str]:
    """Every name in a file of SAM 2.1 whose Hiera has so many blocks in each stage."""
    firsts = [sum(stages[:stage]) for stage in range(1, len(stages))]
    text = META.replace("{BLOCKS}", "{" + ",".join(map(str, range(sum(stages)))) + "}")
    text = text.replace("{WIDER}", "{" + ",".join(map(str, firsts)) + "}")
    names = []
    for form in text.split():
        parts = re.split(r"\{(.*?)\}", form)
        choices = [part.split(",") if place % 2 else [part] for place, part in enumerate(parts)]
        names += ["".join(chosen) for chosen in product(*choices)]
    return names


def as_published(state: dict, stages: tuple[int, ...]) -> dict:
    """The tensors of a model of transformers under Meta's names."""
    found = {}
    for name in published_names(stages):
        (key,) = renamed({name: torch.zeros(1)})
        if row := re.search(r"point_embeddings\.(\d)", name):
            number = int(row[1])
            found[name] = state["prompt_encoder.point_embed.weight"][number : number + 1].clone()
        else:
            found[name] = state[key]
    return found


def shapes(state: dict) -> dict:
    return {key: tuple(value.shape) for key, value in state.items()}


@pytest.fixture(scope="module")
def transformers():
    pytest.importorskip("transformers")
    return require_transformers()


def test_a_published_file_has_471_names():
    names = published_names((1, 2, 7, 2))  # counted in Meta's network, Hiera tiny

    assert len(names) == len(set(names)) == 471


@pytest.mark.parametrize(
    ("meta", "ours"),
    {
        "sam_mask_decoder.iou_prediction_head.layers.1.bias": (
            "mask_decoder.iou_prediction_head.layers.0.bias"
        ),
        "memory_encoder.mask_downsampler.encoder.12.weight": (
            "memory_encoder.mask_downsampler.final_conv.weight"
        ),
        "memory_encoder.mask_downsampler.encoder.10.bias": (
            "memory_encoder.mask_downsampler.layers.3.layer_norm.bias"
        ),
        "memory_encoder.out_proj.bias": "memory_encoder.projection.bias",
        "memory_attention.layers.3.self_attn.out_proj.bias": (
            "memory_attention.layers.3.self_attn.o_proj.bias"
        ),
        "sam_mask_decoder.output_upscaling.3.bias": "mask_decoder.upscale_conv2.bias",
        "sam_prompt_encoder.mask_downscaling.4.bias": "prompt_encoder.mask_embed.layer_norm2.bias",
        "nobody.knows.this": "nobody.knows.this",
    }.items(),
)
def test_names_are_told_to_transformers(meta, ours):
    assert list(renamed({meta: torch.zeros(1)})) == [ours]


@pytest.mark.parametrize("size", BACKBONES, ids=[known.name for known in BACKBONES.values()])
def test_the_architecture_is_read_from_the_shapes(transformers, size):
    width, stages = size
    known = BACKBONES[size]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": width,
        "embed_dim_per_stage": [width * 2**n for n in range(4)],
        "blocks_per_stage": list(stages),
        "num_attention_heads_per_stage": [known.num_heads * 2**n for n in range(4)],
        "window_size_per_stage": list(known.windows),
        "global_attention_blocks": list(known.global_blocks),
    }
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [width * 2**n for n in (3, 2, 1, 0)],
    }
    config = transformers.Sam2VideoConfig(vision_config=vision)
    with torch.device("meta"):
        state = transformers.Sam2VideoModel(config).state_dict()
    published = as_published(state, stages)
    assert is_published_form(published)
    assert not is_published_form(state)

    weights = with_shared_positions(renamed(published))

    assert shapes(weights) == shapes(state)
    found = transformers.Sam2VideoConfig.from_dict(config_of(weights, side=1024))
    got = found.vision_config.backbone_config
    for key, value in backbone.items():
        assert getattr(got, key) == value
    assert found.vision_config.backbone_feature_sizes == [[256, 256], [128, 128], [64, 64]]
    assert found.enable_occlusion_spatial_embedding
    assert found.enable_temporal_pos_encoding_for_object_pointers


def test_sam_2_lacks_what_2_1_added_and_medsam2_sees_512_pixels(transformers):
    with torch.device("meta"):
        state = transformers.Sam2VideoModel(transformers.Sam2VideoConfig()).state_dict()
    old = {
        key: value
        for key, value in state.items()
        if not key.startswith(("occlusion_spatial", "temporal_positional"))
    }

    config = transformers.Sam2VideoConfig.from_dict(config_of(old, side=512))

    assert not config.enable_occlusion_spatial_embedding
    assert not config.enable_temporal_pos_encoding_for_object_pointers
    assert config.image_size == config.prompt_encoder_config.image_size == 512
    assert config.memory_attention_rope_feat_sizes == [32, 32]
    assert config.vision_config.backbone_feature_sizes == [[128, 128], [64, 64], [32, 32]]
    with torch.device("meta"):
        assert shapes(transformers.Sam2VideoModel(config).state_dict()) == shapes(old)


@pytest.mark.parametrize("missing", ["prompt_encoder.shared_embedding", "shared_image_embedding"])
def test_one_table_of_positions_has_two_names(missing):
    names = {
        "prompt_encoder.shared_embedding.positional_embedding",
        "shared_image_embedding.positional_embedding",
    }
    (present,) = names - {f"{missing}.positional_embedding"}

    found = with_shared_positions({present: torch.ones(2, 3)})

    assert set(found) == names
    assert with_shared_positions({"a": torch.zeros(1)}).keys() == {"a"}


@pytest.fixture(autouse=True)
def expanded_tensors_are_believed(monkeypatch):
    """Weights of these tests are one number, expanded, so that they are small on disk."""
    monkeypatch.setattr(state_dict, "_MOST_TIMES_THE_FILE", math.inf)


@pytest.fixture(scope="module")
def tiny(transformers):
    """Meta's form of a Hiera tiny: every tensor is one number of its own, small on disk."""
    with torch.device("meta"):
        state = transformers.Sam2VideoModel(transformers.Sam2VideoConfig()).state_dict()
    constant = {
        key: torch.tensor(float(number)).expand(value.shape)
        for number, (key, value) in enumerate(state.items())
    }
    return as_published(constant, (1, 2, 7, 2))


@pytest.mark.parametrize(("variant", "side"), [("sam2", 1024), ("medsam2", 512)])
def test_a_published_file_is_loaded_by_its_names(tiny, tmp_path, variant, side):
    torch.save({"model": tiny}, tmp_path / "sam2.1_hiera_tiny.pt")

    model = load_sam2(tmp_path / "sam2.1_hiera_tiny.pt", device="cpu", variant=variant)

    state = model.state_dict()
    for number, (key, value) in enumerate(state.items()):
        if key == "shared_image_embedding.positional_embedding":  # Meta's table has one name
            key = "prompt_encoder.shared_embedding.positional_embedding"
            number = list(state).index(key)
        assert (value == number).all(), key
    assert model.config.image_size == side
    assert model.memory_attention.position_ids.shape[0] == (side // 16) ** 2


def test_a_file_says_what_it_is(tiny, tmp_path):
    torch.save({"model": tiny}, tmp_path / "mine.pt")

    facts = identify_sam2(tmp_path / "mine.pt")

    assert facts.model == "SAM 2.1 or MedSAM2, hiera tiny"
    assert facts.num_tensors == 469


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: {"a": torch.zeros(2)}, "it has none of its names"),
        (
            lambda weights: {k: v for k, v in weights.items() if "blocks.11." not in k},
            "a SAM 2 of no published size",
        ),
        (
            lambda weights: {k: v for k, v in weights.items() if k != "no_obj_ptr"},
            r"1 entry \(no_object_pointer\) missing",
        ),
        (lambda weights: {**weights, "lora": torch.zeros(1)}, r"1 entry \(lora\) unexpected"),
    ],
    ids=["another model", "another size", "lacking", "more"],
)
def test_a_file_of_another_model_is_refused_in_one_line(tiny, tmp_path, change, message):
    torch.save({"model": change(tiny)}, tmp_path / "odd.pt")

    with pytest.raises(WeightsError, match=message) as caught:
        load_sam2(tmp_path / "odd.pt", device="cpu")
    assert "\n" not in str(caught.value)


def test_a_file_that_holds_more_than_tensors_is_refused(tmp_path):
    torch.save({"model": print}, tmp_path / "odd.pt")

    with pytest.raises(WeightsError, match="holds Python objects"):
        load_sam2(tmp_path / "odd.pt", device="cpu")
