"""A SAM for smaller pictures is the one that segment_anything makes of the same weights."""

import copy
import json

import numpy as np
import pytest
import torch
from torch.nn import functional

from samssl_cli.errors import RecipeError, WeightsError
from samssl_cli.generalists.sam import SegmentAnything
from samssl_cli.generalists.sam_architecture import detect
from samssl_cli.generalists.sam_image_size import resized
from samssl_cli.generalists.sam_weights import load_sam
from samssl_cli.prompts.types import Box, Prompt

SPACING_MM = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("side", [48, 96])
def test_positions_are_those_of_segment_anything(sam, tiny_sam, side):
    ours = load_sam(tiny_sam, device="cpu", image_size=side)
    theirs = copy.deepcopy(sam.image_encoder)
    planes = theirs.pos_embed.data.permute(0, 3, 1, 2)
    smaller = functional.interpolate(planes, side // 8, mode="bicubic", antialias=True)
    theirs.pos_embed = torch.nn.Parameter(smaller.permute(0, 2, 3, 1), requires_grad=False)
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    found = ours.image_encoder(pixels)
    assert found.shape == (2, 256, side // 8, side // 8)
    torch.testing.assert_close(found, theirs(pixels), atol=1e-5, rtol=1e-4)


def test_its_own_size_changes_nothing(sam):
    weights = sam.state_dict()
    shape, same = resized(weights, 64)
    assert shape == detect(weights)
    for name, tensor in weights.items():
        torch.testing.assert_close(same[name], tensor, atol=1e-6, rtol=1e-6)


def test_masks_are_those_of_the_volume_whatever_the_size(tiny_sam, image):
    prompt = Prompt(box=Box((4, 3, 1), (15, 11, 4)))
    answers = []
    for options in ({}, {"image_size": 64}, {"image_size": 96}):
        generalist = SegmentAnything.build(options, checkpoint=tiny_sam, device="cpu")
        embedding = generalist.embed(image, SPACING_MM)
        answers.append(generalist.segment(embedding, [prompt]).logits)
    usual, own, larger = answers
    assert usual.shape == larger.shape == (1, *image.shape[1:])
    np.testing.assert_allclose(own, usual, atol=1e-3)
    assert not np.allclose(larger, usual, atol=1e-2)


def test_features_of_another_size_have_another_name(tiny_sam):
    names = {
        SegmentAnything.build(options, checkpoint=tiny_sam, device="cpu")._predictor.framing_name
        for options in ({}, {"image_size": 96}, {"image_size": 96, "precision": "bfloat16"})
    }
    assert names == {"sam", "sam, 96 pixels", "sam, 96 pixels, bfloat16"}


@pytest.mark.parametrize("size", [500, 32, 0, "large"])
def test_other_sizes_are_refused(tiny_sam, size):
    with pytest.raises(RecipeError, match="image_size"):
        SegmentAnything.build({"image_size": size}, checkpoint=tiny_sam, device="cpu")


def test_tokens_have_to_fit(tiny_sam):
    with pytest.raises(WeightsError, match=r"image_size.*no multiple of 8"):
        load_sam(tiny_sam, device="cpu", image_size=100)


def test_what_a_size_costs_is_measured(loop, tiny_sam, capsys):
    from benchmarks.sam_image_size import main

    words = [str(loop.path("cases")), str(loop.path("prompts")), "--checkpoint", str(tiny_sam)]
    assert main([*words, "--sizes", "64", "96", "--cases", "1", "--json"]) == 0
    usual, own, larger = json.loads(capsys.readouterr().out)
    assert (usual["mean_dice"], usual["of_the_time"]) == (100, 1)
    assert own["mean_dice"] > 99.9
    assert larger["mean_dice"] < 99.9
    assert main([*words, "--sizes", "96", "--cases", "1"]) == 0
    assert "96" in capsys.readouterr().out
