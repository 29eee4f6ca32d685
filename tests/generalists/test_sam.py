import numpy as np
import pytest
from segment_anything import SamPredictor

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists.sam import OUTSIDE_LOGIT, SegmentAnything
from samssl_cli.generalists.sam_framing import MedSamFraming, SamFraming
from samssl_cli.generalists.sam_predictor import SlicePredictor
from samssl_cli.generalists.sam_prompts import SlicePrompt
from samssl_cli.prompts.types import Box, Points, Prompt

SPACING_MM = (1.0, 1.0, 1.0)


def _predictor(sam, framing=SamFraming, *, multimask=False) -> SlicePredictor:
    return SlicePredictor(
        sam,
        framing(sam),
        encode_batch=2,
        decode_batch=2,
        multimask=multimask,
        mask_logit=8.0,
    )


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
    predictor, picture = _predictor(sam, multimask=multimask), _picture(size)
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
    logits, quality = predictor.decode(features, [_asked(size, **said)], size)

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

    together, _ = predictor.decode(features, asked, size)

    alone = [predictor.decode(features, [prompt], size)[0][0] for prompt in asked]
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
    reference.set_image(embedding.picture(int(point[index])))
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


def test_three_channels_are_shown_as_rgb_and_a_chosen_one_in_grey(sam, image):
    three = np.concatenate([image, 2 * image[:, ::-1], image[:, :, ::-1] ** 2])

    rgb = _sam(sam).embed(three, SPACING_MM).picture(2)
    grey = _sam(sam, channel=1).embed(three, SPACING_MM).picture(2)
    two = _sam(sam).embed(three[:2], SPACING_MM).picture(2)

    assert (rgb[..., 1] == grey[..., 0]).all()
    assert (grey[..., 0] == grey[..., 2]).all()
    assert (two == rgb[..., :1]).all()
    with pytest.raises(UsageError, match="channel is 3, but the image has 3 channels"):
        _sam(sam, channel=3).embed(three, SPACING_MM)


def test_percentiles_must_rise(tiny_sam):
    with pytest.raises(RecipeError, match="two rising numbers"):
        SegmentAnything.build({"window_percentiles": [60, 40]}, checkpoint=tiny_sam, device="cpu")
