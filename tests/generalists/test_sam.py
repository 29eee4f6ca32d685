from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from segment_anything import SamPredictor

from samssl_cli.errors import UsageError
from samssl_cli.generalists import sam_view
from samssl_cli.generalists.sam import SegmentAnything
from samssl_cli.generalists.sam_framing import MedSamFraming, SamFraming
from samssl_cli.generalists.sam_predictor import SlicePredictor
from samssl_cli.generalists.sam_prompts import SlicePrompt
from samssl_cli.generalists.sam_slices import Slicing
from samssl_cli.generalists.sam_view import OUTSIDE_LOGIT
from samssl_cli.prompts.types import Box, Points, Prompt

SPACING_MM = (1.0, 1.0, 1.0)


def _predictor(sam, framing=SamFraming, **settings) -> SlicePredictor:
    return SlicePredictor(
        sam,
        framing(sam),
        **{
            "encode_batch": 2,
            "decode_batch": 2,
            "multimask": "off",
            "mask_logit": 8.0,
            "clicks": "together",
            **settings,
        },
    )


def _decoded(predictor, features, prompts, size) -> tuple[np.ndarray, np.ndarray]:
    """Logits (B, H, W) and ratings (B,), in the order of the prompts."""
    answers = sorted(predictor.decode(features, prompts, size), key=lambda answer: answer[0])
    return np.stack([a[1] for a in answers]), np.array([a[2] for a in answers])


def _slice_of(embedding, index: int) -> np.ndarray:
    (view,) = embedding.views([])
    return view.pictures.picture(index)


def _sam(sam, **options) -> SegmentAnything:
    return SegmentAnything(sam, SegmentAnything.Options(**options))


def _picture(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def _disc(size: tuple[int, int]) -> np.ndarray:
    rows, columns = np.indices(size)
    return (rows - 9) ** 2 + (columns - 7) ** 2 < 25


def _asked(size, *, points=(), signs=(), box=None, mask=None) -> SlicePrompt:
    coordinates = np.array(points, float).reshape(-1, 2)
    return SlicePrompt(0, coordinates, np.array(signs, bool), box, mask)


PROMPTS = {
    "box": {"box": (2, 3, 12, 15)},
    "points": {"points": [(5, 8), (14, 3)], "signs": [True, False]},
    "box and points": {"box": (2, 3, 12, 15), "points": [(5, 8)], "signs": [True]},
    "mask": {"mask": True},
    "all": {"box": (2, 3, 12, 15), "points": [(5, 8)], "signs": [True], "mask": True},
}


@pytest.mark.parametrize("multimask", [False, True], ids=["one mask", "best of three"])
@pytest.mark.parametrize("size", [(20, 20), (24, 17), (18, 31)], ids=str)
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_logits_are_those_of_sam_predictor(sam, size, prompt, multimask):
    predictor = _predictor(sam, multimask="rated" if multimask else "off")
    picture = _picture(size)
    said = prompt | ({"mask": _disc(size)} if "mask" in prompt else {})
    reference = SamPredictor(sam)
    reference.set_image(picture)
    masks, ious, _ = reference.predict(
        point_coords=np.array(said["points"], float) if "points" in said else None,
        point_labels=np.array(said["signs"], int) if "points" in said else None,
        box=np.array(said["box"], float) if "box" in said else None,
        mask_input=predictor.mask_input(said["mask"][None])[0].numpy() if "mask" in said else None,
        multimask_output=multimask,
        return_logits=True,
    )

    (features,) = predictor.encode([picture])
    logits, quality = _decoded(predictor, features, [_asked(size, **said)], size)

    best = int(ious.argmax())
    assert logits.shape == (1, *size)
    np.testing.assert_allclose(logits[0], masks[best], atol=1e-4)
    np.testing.assert_allclose(quality[0], ious[best], atol=1e-5)
    assert ((logits[0] > 0) == (masks[best] > sam.mask_threshold)).all()


def test_prompts_of_different_structure_keep_their_order_in_batches(sam):
    size = (20, 20)
    predictor = _predictor(sam)
    (features,) = predictor.encode([_picture(size)])
    asked = [
        _asked(size, box=(2, 3, 12, 15)),
        _asked(size, points=[(5, 8)], signs=[True]),
        _asked(size, box=(1, 1, 4, 6)),
        _asked(size, box=(9, 3, 18, 15)),
    ]

    together, _ = _decoded(predictor, features, asked, size)

    alone = [_decoded(predictor, features, [prompt], size)[0][0] for prompt in asked]
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("framing", [SamFraming, MedSamFraming])
def test_a_mask_prompt_survives_the_way_into_the_square_and_back(sam, framing):
    size, predictor = (32, 20), _predictor(sam, framing)

    low_res = predictor.mask_input(_disc(size)[None])
    back = framing(sam).out_of_square(low_res, size)[0, 0].numpy() > 0

    assert low_res.shape == (1, 1, 32, 32)
    assert low_res.min() == -8
    assert low_res.max() == pytest.approx(8)
    assert (back == _disc(size)).mean() > 0.98


def test_medsam_sees_a_stretched_picture_from_0_to_1(sam):
    framing = MedSamFraming(sam)
    picture = np.zeros((20, 10, 3), np.uint8)
    picture[10:] = 200

    square = framing.image(picture)

    assert square.shape == (3, 64, 64)
    assert (square.min(), square.max()) == (0, 1)
    assert (square[:, 40:] > 0.9).all()
    assert framing.coordinates(np.array([[5.0, 5.0]]), (20, 10)).tolist() == [[32, 16]]


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_the_answer_lies_on_the_voxels_that_were_asked_about(sam, image, axis):
    index = "ijk".index(axis)
    generalist = _sam(sam, axis=axis)
    point = np.array([4, 9, 2])
    box = Box((3, 6, 1), (9, 11, 3))
    prompt = Prompt(Points(point[None], np.array([True])), box)
    embedding = generalist.embed(image, SPACING_MM)

    logits = generalist.segment(embedding, [prompt]).logits[0]

    # the same slice by hand: first remaining axis = columns, second = rows, both reversed
    first, second = (a for a in range(3) if a != index)
    shape = image.shape[1:]
    reference = SamPredictor(sam)
    reference.set_image(_slice_of(embedding, int(point[index])))
    reference.features = reference.features.half().float()  # as they are kept
    xy = [shape[first] - 1 - point[first], shape[second] - 1 - point[second]]
    corners = [shape[first] - box.high[first], shape[second] - box.high[second]]
    corners += [shape[first] - 1 - box.low[first], shape[second] - 1 - box.low[second]]
    expected, _, _ = reference.predict(
        np.array([xy], float), np.array([1]), np.array(corners, float), None, False, True
    )
    answered = np.moveaxis(logits, index, 0)[point[index]]  # (first, second)
    np.testing.assert_allclose(answered, expected[0].T[::-1, ::-1], atol=1e-4)
    visited = np.moveaxis(logits != OUTSIDE_LOGIT, index, 0).any(axis=(1, 2))
    assert visited.nonzero()[0].tolist() == list(range(box.low[index], box.high[index]))


def test_a_slice_is_encoded_once_and_only_when_needed(sam, image):
    generalist = _sam(sam)
    embedding = generalist.embed(image, SPACING_MM)
    first, second = Prompt(box=Box((2, 2, 1), (9, 9, 4))), Prompt(box=Box((2, 2, 2), (9, 9, 5)))

    assert embedding.num_encoded == 0
    generalist.segment(embedding, [first, first])
    assert embedding.num_encoded == 3
    generalist.segment(embedding, [second])
    assert embedding.num_encoded == 4


def test_each_set_gets_its_own_answer_whatever_else_is_asked(sam, image):
    generalist = _sam(sam)
    mask = np.zeros(image.shape[1:], bool)
    mask[4:9, 3:8, 2:4] = True
    point = Points(np.array([[6, 5, 3]]), np.array([True]))
    sets = [
        Prompt(box=Box((2, 2, 1), (9, 9, 3))),
        Prompt(point, mask=mask),
        Prompt(point),
        Prompt(),
    ]
    embedding = generalist.embed(image, SPACING_MM)

    together = generalist.segment(embedding, sets)

    for answer, quality, prompt in zip(together.logits, together.predicted_iou, sets, strict=True):
        alone = generalist.segment(embedding, [prompt])
        np.testing.assert_allclose(answer, alone.logits[0], atol=1e-4)
        np.testing.assert_allclose(quality, alone.predicted_iou[0], atol=1e-4)
    assert (together.logits[3] == OUTSIDE_LOGIT).all()
    assert np.isnan(together.predicted_iou[3])
    assert ((together.predicted_iou[:3] >= 0) & (together.predicted_iou[:3] <= 1)).all()


OBJECT = np.zeros((20, 14, 6), bool)
OBJECT[5:12, 4:10, 1:5] = True
CLICKS = Points(np.array([[3, 2, 2], [8, 7, 2], [9, 6, 2]]), np.array([False, True, True]))
TOLD = [
    Prompt(CLICKS, Box((3, 2, 1), (14, 12, 5)), OBJECT),
    Prompt(box=Box((4, 3, 2), (13, 11, 5))),
]


def _answered(sam, image, spacing_mm=SPACING_MM, **options):
    generalist = _sam(sam, **options)
    return generalist.segment(generalist.embed(image, spacing_mm), TOLD)


def test_all_axes_are_asked_and_the_probabilities_of_those_that_looked_averaged(sam, image):
    each = [_answered(sam, image, axis=axis) for axis in "ijk"]

    fused = _answered(sam, image, axis="all")

    logits = np.stack([one.logits for one in each])
    looked = logits != OUTSIDE_LOGIT
    mean = (expit(logits) * looked).sum(axis=0) / looked.sum(axis=0).clip(min=1)
    np.testing.assert_allclose(expit(fused.logits), mean, atol=1e-6)
    assert 0 < looked.any(axis=0).mean() < 1
    assert (fused.logits[~looked.any(axis=0)] == OUTSIDE_LOGIT).all()
    rated = np.array([one.predicted_iou for one in each])
    assert (fused.predicted_iou >= rated.min(axis=0)).all()
    assert (fused.predicted_iou <= rated.max(axis=0)).all()


def test_with_a_click_alone_each_axis_keeps_its_slice(sam, image):
    click = [Prompt(Points(np.array([[8, 7, 2]]), np.array([True])))]

    def clicked(axis):
        generalist = _sam(sam, axis=axis)
        return generalist.segment(generalist.embed(image, SPACING_MM), click).logits[0]

    fused = clicked("all")

    beside = np.arange(14) != 7  # on slice k = 2, off those that the other axes were asked about
    for i in (0, 7, 9, 19):
        np.testing.assert_allclose(fused[i, beside, 2], clicked("k")[i, beside, 2], atol=1e-6)


def test_of_thick_slices_only_the_sharp_ones_are_asked(sam, image):
    thick = (0.5, 0.5, 4.0)
    alone = _answered(sam, image, thick, axis="k")

    assert _answered(sam, image, thick, axis="all").logits.tobytes() == alone.logits.tobytes()
    wide = _answered(sam, image, thick, axis="all", max_anisotropy=8)
    assert wide.logits.tobytes() != alone.logits.tobytes()


def test_a_mosaic_is_asked_slice_by_slice_and_cut_apart(sam, image):
    generalist = _sam(sam, mosaic=2)
    embedding = generalist.embed(image, SPACING_MM)
    box = Box((3, 2, 1), (14, 12, 3))

    logits = generalist.segment(embedding, [Prompt(box=box)]).logits[0]

    # by hand: slices 0 1 / 2 3 of 14 rows and 20 columns; the box on slice 2 is x 6-16, y 2-11
    picture = _slice_of(embedding, 0)
    plain = np.stack([_slice_of(_sam(sam).embed(image, SPACING_MM), index) for index in range(4)])
    assert (picture == np.block([[[plain[0]], [plain[1]]], [[plain[2]], [plain[3]]]])).all()
    reference = SamPredictor(sam)
    reference.set_image(picture)
    reference.features = reference.features.half().float()
    expected, _, _ = reference.predict(
        box=np.array([6, 16, 16, 25], float), multimask_output=False, return_logits=True
    )
    np.testing.assert_allclose(logits[..., 2], expected[0, 14:, :20].T[::-1, ::-1], atol=1e-4)
    assert embedding.num_encoded == 1
    assert (logits[..., 3:] == OUTSIDE_LOGIT).all()


def test_a_large_mosaic_is_asked_a_few_prompts_at_a_time(sam, image, monkeypatch):
    together = _answered(sam, image, mosaic="fit")
    monkeypatch.setattr(sam_view, "_PIXELS_AT_ONCE", 3 * 9 * 20 * 14)  # three prompts

    apart = _answered(sam, image, mosaic="fit")

    np.testing.assert_allclose(apart.logits, together.logits, atol=1e-4)
    np.testing.assert_allclose(apart.predicted_iou, together.predicted_iou, atol=1e-4)


def test_a_mosaic_of_one_tile_is_the_slice(sam, image):
    plain, tiled = _answered(sam, image), _answered(sam, image, mosaic=1)

    assert plain.logits.tobytes() == tiled.logits.tobytes()


def test_clicks_one_by_one_are_those_of_an_interactive_user(sam):
    size, predictor = (20, 17), _predictor(sam, clicks="one-by-one")
    picture, points = _picture(size), [(2, 2), (8, 9), (5, 11)]
    said = _asked(size, points=points, signs=[False, True, True], box=(1, 2, 12, 15))
    reference = SamPredictor(sam)
    reference.set_image(picture)
    order, low_res = [1, 2, 0], None  # positive ones first
    for number in (1, 2, 3):
        clicked = order[:number]
        masks, ious, low_res = reference.predict(
            point_coords=np.array(points, float)[clicked],
            point_labels=np.array([0, 1, 1])[clicked],
            box=np.array(said.box, float),
            mask_input=low_res,
            multimask_output=False,
            return_logits=True,
        )

    (features,) = predictor.encode([picture])
    logits, quality = _decoded(predictor, features, [said], size)

    np.testing.assert_allclose(logits[0], masks[0], atol=1e-4)
    np.testing.assert_allclose(quality, ious, atol=1e-5)


@pytest.mark.parametrize("signs", [[], [True]], ids=["no click", "one click"])
def test_up_to_one_click_there_is_one_turn(sam, signs):
    size = (20, 20)
    said = _asked(size, points=[(5, 8)] * len(signs), signs=signs, box=(2, 3, 12, 15))
    (features,) = _predictor(sam).encode([_picture(size)])

    one_by_one, together = (
        _decoded(_predictor(sam, clicks=clicks), features, [said], size)[0]
        for clicks in ("one-by-one", "together")
    )

    assert one_by_one.tobytes() == together.tobytes()


def test_only_the_first_click_may_be_answered_by_three_masks(sam):
    size, asked = (20, 20), []
    predictor = _predictor(sam, clicks="one-by-one", multimask="rated")
    (features,) = predictor.encode([_picture(size)])
    said = _asked(size, points=[(5, 8), (6, 8), (1, 1)], signs=[True, True, False])
    drawn = predictor._drawn
    predictor._drawn = lambda *a, **k: asked.append(k["multimask_output"]) or drawn(*a, **k)

    _decoded(predictor, features, [said], size)

    assert asked == [True, False, False]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_three_masks_the_one_like_the_specialists_is_kept(sam, place):
    size, predictor = (20, 20), _predictor(sam, multimask="agreement")
    picture = _picture(size)
    reference = SamPredictor(sam)
    reference.set_image(picture)
    masks, ious, _ = reference.predict(box=np.array([2.0, 3, 12, 15]), return_logits=True)
    meant = masks[place] > np.median(masks[place])
    overlap = [(expit(m) * meant).sum() / np.maximum(expit(m), meant).sum() for m in masks]
    (features,) = predictor.encode([picture])

    said = replace(_asked(size, box=(2, 3, 12, 15)), seen=meant)
    logits, quality = _decoded(predictor, features, [said], size)

    best = int(np.argmax(overlap))
    np.testing.assert_allclose(logits[0], masks[best], atol=1e-4)
    np.testing.assert_allclose(quality[0], ious[best], atol=1e-5)


def test_agreement_sees_the_mask_that_is_not_passed_on(sam, image):
    options = {"multimask": "agreement", "use_mask_prompt": False}
    generalist = _sam(sam, **options)
    (said,) = generalist._slice_prompts(
        Prompt(mask=OBJECT & (np.arange(6) == 2)), Slicing(2, OBJECT.shape)
    )

    assert said.mask is None
    assert said.seen.sum() == 7 * 6
    assert np.isfinite(_answered(sam, image, **options).logits).all()


def test_pixels_are_shown_in_their_shape(sam):
    high = SamFraming(sam).of_pixels(2)
    picture = np.zeros((16, 16, 3), np.uint8)
    black = SamFraming(sam).image(picture)[0, 0, 0]
    picture[8:] = 255

    square = high.image(picture)[0]  # 16 rows of height 2 fill 64, 16 columns fill 32

    assert (square[:, 32:] == 0).all()
    assert (square[:30, :32] == black).all()
    assert (square[34:, :32] > 2).all()
    assert high.coordinates(np.array([[4.0, 4.0]]), (16, 16)).tolist() == [[8, 16]]
    assert (
        high.out_of_square(high.into_square(torch.ones(1, 1, 16, 16), fill=0), (16, 16)).min() == 1
    )
    assert SamFraming(sam).of_pixels(0.5).coordinates(np.ones(2), (16, 16)).tolist() == [4, 2]


def test_square_pixels_are_shown_as_ever_and_medsams_always(sam):
    assert SamFraming(sam).of_pixels(1).name == SamFraming(sam).name == "sam"
    assert SamFraming(sam).of_pixels(2).name != SamFraming(sam).of_pixels(1.5).name
    assert MedSamFraming(sam).of_pixels(2).name == "medsam"


def test_a_very_flat_picture_keeps_a_row(sam):
    flat = SamFraming(sam).of_pixels(0.001)

    assert flat.image(np.zeros((3, 50, 3), np.uint8)).shape == (3, 64, 64)


def test_each_object_gets_a_window_of_its_own(sam, image):
    generalist = _sam(sam, window="around")
    embedding = generalist.embed(image * (np.arange(20) > 9)[:, None, None], SPACING_MM)
    left, right = Prompt(box=Box((1, 2, 1), (2, 4, 2))), Prompt(box=Box((18, 2, 1), (19, 4, 2)))

    (dark,), (bright,) = embedding.views([left]), embedding.views([right])

    assert not (dark.pictures.picture(1) == bright.pictures.picture(1)).all()
    generalist.segment(embedding, [left])
    generalist.segment(embedding, [right])
    generalist.segment(embedding, [right, right])
    assert embedding.num_encoded == 2


def test_three_channels_are_shown_as_rgb_and_a_chosen_one_in_grey(sam, image):
    three = np.concatenate([image, 2 * image[:, ::-1], image[:, :, ::-1] ** 2])

    rgb = _slice_of(_sam(sam).embed(three, SPACING_MM), 2)
    grey = _slice_of(_sam(sam, channel=1).embed(three, SPACING_MM), 2)
    two = _slice_of(_sam(sam).embed(three[:2], SPACING_MM), 2)

    assert (rgb[..., 1] == grey[..., 0]).all()
    assert (grey[..., 0] == grey[..., 2]).all()
    assert (two == rgb[..., :1]).all()
    with pytest.raises(UsageError, match="channel is 3, but the image has 3 channels"):
        _sam(sam, channel=3).embed(three, SPACING_MM)


def test_bfloat16_is_near_and_is_kept_apart(sam):
    exact, half = _predictor(sam), _predictor(sam, precision="bfloat16")
    (expected,) = exact.encode([_picture((20, 20))])
    (found,) = half.encode([_picture((20, 20))])
    assert found.dtype == torch.float32
    error = (found - expected).abs().mean() / expected.abs().mean()
    assert 0 < error < 0.05
    assert half.framing_name != exact.framing_name  # the key of what is kept
