import json
import shutil
import sys

import numpy as np
import pytest
import safetensors.torch
import torch

from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists.sam2 import Sam2
from samssl_cli.generalists.sam2_weights import identify_sam2, load_sam2
from samssl_cli.prompts.types import Points, Prompt

pytest.importorskip("transformers")


def _tensors(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def _save(folder, tensors):
    safetensors.torch.save_file(tensors, folder / "model.safetensors")


def _edit(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def test_a_loaded_model_is_the_saved_one(sam2, sam2_folder):
    before = torch.get_rng_state()

    loaded = load_sam2(sam2_folder, device="cpu")

    assert type(loaded) is type(sam2)
    for (name, one), (_, other) in zip(
        loaded.state_dict().items(), sam2.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_half_precision_and_a_position_table_under_one_name_are_taken(sam2_folder):
    tensors = {key: value.half() for key, value in _tensors(sam2_folder).items()}
    del tensors["prompt_encoder.shared_embedding.positional_embedding"]
    _save(sam2_folder, tensors)
    _edit(sam2_folder, lambda config: config.update(dtype="float16"))

    loaded = load_sam2(sam2_folder, device="cpu")

    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}
    one = loaded.prompt_encoder.shared_embedding.positional_embedding
    assert torch.equal(one, loaded.shared_image_embedding.positional_embedding)


def test_what_could_fetch_or_run_something_is_left_out_of_the_config(sam2_folder):
    def add(config):
        config["attn_implementation"] = "somebody/kernel"
        config["auto_map"] = {"AutoModel": "code.Model"}
        config["vision_config"]["quantization_config"] = {"quant_method": "odd"}

    _edit(sam2_folder, add)

    assert load_sam2(sam2_folder, device="cpu").config._attn_implementation == "sdpa"


def _truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def _other_shape(folder):
    tensors = _tensors(folder)
    tensors["mask_downsample.bias"] = torch.zeros(2)
    _save(folder, tensors)


def _lacking(folder):
    tensors = _tensors(folder)
    del tensors["no_object_pointer"]
    _save(folder, tensors)


def _not_finite(folder):
    tensors = _tensors(folder)
    tensors["no_object_pointer"][0, 0] = float("nan")
    _save(folder, tensors)


def _pickle_alone(folder):
    torch.save(_tensors(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


DAMAGE = {
    "gone": (shutil.rmtree, "no such file"),
    "truncated": (_truncated, "not readable as weights"),
    "pickle": (_pickle_alone, r"refused: pytorch_model\.bin may hold code"),
    "no tensors": (lambda f: (f / "model.safetensors").unlink(), r"there is no model\.safetensors"),
    "no config": (lambda f: (f / "config.json").unlink(), r"there is no config\.json"),
    "another model": (
        lambda f: _edit(f, lambda c: c.update(model_type="sam2")),
        "model_type 'sam2', expected 'sam2_video'",
    ),
    "another encoder": (
        lambda f: _edit(f, lambda c: c.update(vision_config={"model_type": "siglip_vision_model"})),
        "no SAM 2 can be built",
    ),
    "odd config": (
        lambda f: _edit(f, lambda c: c.update(num_maskmem="x")),
        "no SAM 2 can be built",
    ),
    "shape": (
        _other_shape,
        r"not the expected SAM 2: 1 entry \(mask_downsample\.bias\) of another",
    ),
    "lacking": (_lacking, r"1 entry \(no_object_pointer\) missing"),
    "not finite": (_not_finite, r"1 entry \(no_object_pointer\) not finite"),
}


@pytest.mark.parametrize(("harm", "message"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_not_a_sam_2_is_refused_in_one_line(sam2_folder, harm, message):
    harm(sam2_folder)

    with pytest.raises(WeightsError, match=message) as caught:
        load_sam2(sam2_folder, device="cpu")
    assert str(sam2_folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_says_what_it_is(sam2, sam2_folder):
    facts = identify_sam2(sam2_folder)

    assert facts.model == "SAM 2.1 or MedSAM2, of no published size"
    assert facts.num_tensors == len(sam2.state_dict())


def test_without_transformers_it_is_said_how_to_get_it(sam2_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(UsageError, match=r"pip install 'samssl\[hf\]'"):
        Sam2.build({}, checkpoint=sam2_folder, device="cpu")


def test_two_builds_give_the_same_answer(sam2_folder, image):
    prompt = Prompt(Points(np.array([[6, 8, 3]]), np.array([True])))
    answers = []
    for _ in range(2):
        generalist = Sam2.build({"reach": 1}, checkpoint=sam2_folder, device="cpu")
        embedding = generalist.embed(image, (1.0, 1.0, 1.0))
        answers.append(generalist.segment(embedding, [prompt]).logits)

    assert np.array_equal(*answers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda config: config.update(memory_attention_num_layers=10**9),
            r"num_layers of its conf",
        ),
        (lambda config: config.update(image_size=10**7), "image_size of its config"),
        (
            lambda config: config["vision_config"]["backbone_config"].update(hidden_size=16384),
            "not the expected SAM 2|no SAM 2 can be built",
        ),
    ],
    ids=["layers", "pixels", "channels"],
)
def test_a_config_that_asks_for_the_whole_memory_is_refused(sam2_folder, change, message):
    _edit(sam2_folder, change)
    with pytest.raises(WeightsError, match=message):
        load_sam2(sam2_folder, device="cpu")
