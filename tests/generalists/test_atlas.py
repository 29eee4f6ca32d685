from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists.atlas import Atlas
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.prompts.types import Box, Points, Prompt
from samssl_cli.volumes.labeled_image import LabeledImage
from samssl_cli.volumes.phantom import SPACING_MM, draw_case

SHAPE = (32, 32, 20)
FEW = {"affine_iterations": 20, "deformable_iterations": 10}


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def patient():
    image, label = draw_case(np.random.default_rng(3), SHAPE)
    return LabeledImage("a", ((image - image.mean()) / image.std())[None], label, SPACING_MM)


def build(*labeled, **options):
    return Atlas.build(
        {**FEW, **options}, checkpoint=None, device="cpu", labeled=labeled, num_classes=3
    )


@pytest.fixture(scope="module")
def asked(patient):
    """Give the atlas of one case, and what it makes of that case's own image."""
    atlas = build(patient)
    return atlas, atlas.embed(patient.image, SPACING_MM)


def answer(asked, **said):
    atlas, embedding = asked
    return atlas.segment(embedding, [Prompt(**said)]).logits[0]


def test_an_island_far_off_is_given_up_and_the_border_is_left_to_the_mask(asked, patient):
    truth = patient.label == 1
    near = ndimage.binary_dilation(truth)
    far = ndimage.distance_transform_edt(~truth, sampling=SPACING_MM) > 8
    mask = near | far
    found = answer(asked, mask=mask) > 0
    assert far.any()
    assert not found[far].any()
    assert found[near].mean() > 0.97
    assert dice(found, truth) > dice(mask, truth) + 0.2


def test_a_hole_deep_inside_is_filled(asked, patient):
    truth = patient.label == 1
    depth = ndimage.distance_transform_edt(truth, sampling=SPACING_MM)
    reach_mm = float(depth.max()) / 2
    atlas = build(patient, reach_mm=reach_mm)
    hole = depth > 0.9 * depth.max()
    embedding = atlas.embed(patient.image, SPACING_MM)
    found = atlas.segment(embedding, [Prompt(mask=truth & ~hole)]).logits[0] > 0
    assert found[hole].all()


def test_the_logit_is_the_formula(asked, patient):
    atlas, distances = asked
    mask = patient.label == 1
    expected = 3 * (2 * mask.astype(float) - 1) + 3 * distances[0] / atlas.options.reach_mm
    assert answer(asked, mask=mask) == pytest.approx(expected.clip(-10, 10), abs=1e-4)


@pytest.mark.parametrize("index", [1, 2])
def test_the_class_that_lies_nearest_is_meant(asked, patient, index):
    truth = patient.label == index
    low, high = (np.array(np.nonzero(truth)).min(axis=1), np.array(np.nonzero(truth)).max(axis=1))
    deepest = np.unravel_index(ndimage.distance_transform_edt(truth).argmax(), truth.shape)
    click = Points(np.array([deepest]), np.array([True]))
    outside = Points(np.array([[0, 0, 0]]), np.array([False]))
    box = Box(tuple(map(int, low)), tuple(map(int, high + 1)))
    for said in ({"mask": truth}, {"points": click + outside}, {"points": click, "box": box}):
        assert dice(answer(asked, **said) > 0, truth) > 0.85


def test_beyond_a_box_there_is_nothing(asked, patient):
    i, j, k = np.array(np.nonzero(patient.label == 1)).mean(axis=1).round().astype(int)
    box = Box((int(i) - 2, int(j) - 2, int(k) - 2), (int(i) + 2, int(j) + 2, int(k) + 2))
    found = answer(asked, box=box)
    beyond = np.ones(found.shape, bool)
    beyond[box.slices] = False
    assert (found[beyond] == -10).all()
    assert (found[box.slices] > -10).all()


def test_it_cannot_say_how_good_it_is_and_answers_alike_each_time(asked, patient):
    atlas, embedding = asked
    prompts = [Prompt(mask=patient.label == 1), Prompt()]
    proposal = atlas.segment(embedding, prompts)
    assert proposal.logits.shape == (2, *SHAPE)
    assert np.isnan(proposal.predicted_iou).all()
    assert np.array_equal(atlas.embed(patient.image, SPACING_MM), embedding)


def test_what_it_cannot_do_is_said(patient, tmp_path):
    with pytest.raises(UsageError, match="needs a labeled case"):
        build()
    with pytest.raises(UsageError, match="channel is 2, but a has 1"):
        build(patient, channel=2)
    with pytest.raises(RecipeError, match="reach_mm"):
        build(patient, reach_mm=0)
    with pytest.raises(UsageError, match=r"no weights: drop --checkpoint .*x\.pth"):
        Atlas.build(
            {}, checkpoint=tmp_path / "x.pth", device="cpu", labeled=[patient], num_classes=3
        )


def remembering(folder, *labeled, **options):
    atlas, cache = build(*labeled, **options), EmbeddingCache(folder, max_gb=1)
    atlas.remember_in(cache, weights_sha256="", device="cpu")
    return atlas, cache


def test_what_was_registered_once_is_found_again_to_the_bit(asked, patient, tmp_path):
    counted = []
    for options in ({}, {"reach_mm": 9.0}):  # the reach comes after the registration
        atlas, cache = remembering(tmp_path, patient, **options)
        found = atlas.embed(patient.image, SPACING_MM)
        counted.append((cache.num_computed, cache.num_found))
        assert found.dtype == asked[1].dtype
        assert np.array_equal(found, asked[1])
    assert counted == [(1, 0), (0, 1)]


@pytest.mark.parametrize("changed", ["option", "image", "voxels", "label", "labeled"])
def test_what_depends_on_something_else_is_registered_again(patient, tmp_path, changed):
    few = {"affine_iterations": 1, "deformable_iterations": 1}
    remembering(tmp_path, patient, **few)[0].embed(patient.image, SPACING_MM)
    labeled, image, spacing_mm, options = [patient], patient.image, SPACING_MM, dict(few)
    if changed == "option":
        options["softness_mm"] = 2.0
    elif changed == "image":
        image = image + np.float32(0.5) * (image > 1)
    elif changed == "voxels":
        spacing_mm = tuple(2 * size for size in SPACING_MM)
    elif changed == "label":
        labeled = [replace(patient, label=np.minimum(patient.label, 1))]
    else:
        labeled = [patient, replace(patient, name="b")]
    atlas, cache = remembering(tmp_path, *labeled, **options)
    atlas.embed(image, spacing_mm)
    assert (cache.num_computed, cache.num_found) == (1, 0)
