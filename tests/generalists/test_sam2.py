import numpy as np
import pytest
import torch
from torch.nn import functional

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists.sam2 import Sam2
from samssl_cli.generalists.sam2_video import OUTSIDE_LOGIT, Film, joined
from samssl_cli.prompts.types import Box, Points, Prompt

SPACING_MM = (1.0, 1.0, 1.0)
BOX = Box((3, 6, 1), (9, 11, 3))


def _sam2(model, **options) -> Sam2:
    return Sam2(model, Sam2.Options(**options))


def _answer(model, image, prompt, **options) -> np.ndarray:
    generalist = _sam2(model, **options)
    return generalist.segment(generalist.embed(image, SPACING_MM), [prompt]).logits[0]


def _ball(shape, centre=(6, 8, 2), radius=3) -> np.ndarray:
    indices = np.indices(shape)
    return sum((axis - c) ** 2 for axis, c in zip(indices, centre, strict=True)) < radius**2


def _pictures(image: np.ndarray, axis: int) -> np.ndarray:
    """The slices by hand: first remaining axis = columns, second = rows, both reversed."""
    volume = image[0]
    low, high = np.percentile(volume, (0.5, 99.5))
    grey = np.rint(255 * np.clip((volume - low) / (high - low), 0, 1)).astype(np.uint8)
    return np.moveaxis(grey, axis, 0).swapaxes(1, 2)[:, ::-1, ::-1]


def _by_hand(model, image: np.ndarray, axis: int, say, *, reverse=False) -> dict[int, np.ndarray]:
    """Drive transformers' own session over the whole film, with what `say` puts into it."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    pictures = _pictures(image, axis)
    frames = torch.from_numpy(pictures.copy())[:, None].expand(-1, 3, -1, -1).float() / 255
    frames = functional.interpolate(frames, (64, 64), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    frames = (frames - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    session = Sam2VideoInferenceSession(
        frames, *pictures.shape[1:], dtype=torch.float32, max_vision_features_cache_size=1
    )
    keys = say(session)
    for key in keys:
        session.obj_with_new_inputs = [1]
        model(session, frame_idx=key)
    start = max(keys) if reverse else min(keys)
    outputs = model.propagate_in_video_iterator(session, start_frame_idx=start, reverse=reverse)
    return {
        output.frame_idx: functional.interpolate(
            output.pred_masks, pictures.shape[1:], mode="bilinear", align_corners=False
        )[0, 0].numpy()
        for output in outputs
    }


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_logits_are_those_of_transformers_at_the_voxels_that_were_asked_about(sam2, image, axis):
    index = "ijk".index(axis)
    click = np.array([4, 9, 2])
    first, second = (a for a in range(3) if a != index)
    shape = image.shape[1:]

    def say(session):  # x runs against the first axis, y against the second, 64 pixels each
        corners = [(shape[a] - BOX.high[a], shape[a] - 1 - BOX.low[a]) for a in (first, second)]
        clicked = [shape[a] - 1 - click[a] for a in (first, second)]
        (x0, x1), (y0, y1) = corners
        xy = torch.tensor([[[[x0, y0], [x1, y1], clicked]]], dtype=torch.float32)
        xy *= torch.tensor([64 / shape[first], 64 / shape[second]])
        labels = torch.tensor([[[2, 3, 1]]], dtype=torch.int32)
        inputs = {"point_coords": xy, "point_labels": labels}
        session.add_point_inputs(session.obj_id_to_idx(1), int(click[index]), inputs)
        return [int(click[index])]

    # the click is on the middle slice of the box, so that there is one key slice
    middle = (BOX.low[index] + BOX.high[index]) // 2
    click[index] = middle

    logits = _answer(sam2, image, Prompt(Points(click[None], np.array([True])), BOX), axis=axis)

    stacked = np.moveaxis(logits, index, 0)  # (slices, first, second)
    for reverse in (False, True):
        expected = _by_hand(sam2, image, index, say, reverse=reverse)
        assert sorted(expected) == list(
            range(middle + 1) if reverse else range(middle, shape[index])
        )
        for number, picture in expected.items():
            np.testing.assert_allclose(
                stacked[number], picture.T[::-1, ::-1].clip(-20, 20), atol=1e-4
            )
    assert (np.abs(logits) < 20).mean() > 0.05
    assert logits.std() > 0.01


def test_the_prompt_encoder_is_told_where_the_click_lies_in_the_picture(sam2, image, monkeypatch):
    told = []
    embed = sam2.prompt_encoder._embed_points
    monkeypatch.setattr(
        sam2.prompt_encoder,
        "_embed_points",
        lambda points, labels, **rest: told.append(points.clone()) or embed(points, labels, **rest),
    )

    _answer(sam2, image, Prompt(Points(np.array([[5, 10, 3]]), np.array([True]))), reach=1)

    # (20, 14, 6) across k: x = (19 - 5) * 64 / 20, y = (13 - 10) * 64 / 14
    assert told[0].flatten().tolist() == pytest.approx([14 * 64 / 20, 3 * 64 / 14])


def test_a_click_elsewhere_is_answered_otherwise(sam2, image):
    here, there = (
        _answer(sam2, image, Prompt(Points(np.array([voxel]), np.array([True]))))
        for voxel in ([4, 9, 2], [15, 3, 2])
    )

    assert np.abs(here - there).max() > 0.01


def test_a_mask_is_taken_as_the_answer_on_its_key_slice(sam2, image):
    ball = _ball(image.shape[1:])

    logits = _answer(sam2, image, Prompt(mask=ball), key_prompt="mask")

    overlap = (logits[..., 2] > 0) & ball[..., 2]
    assert overlap.sum() >= 0.8 * ball[..., 2].sum()
    assert logits[..., 2].max() > 5
    other = _answer(sam2, image, Prompt(mask=ball))
    assert np.abs(logits - other).max() > 0.1


def test_several_key_slices_condition_both_passes(sam2, image):
    points = Points(np.array([[6, 8, 1], [6, 8, 4]]), np.array([True, True]))
    shape = image.shape[1:]

    def say(session):
        number = session.obj_id_to_idx(1)
        for key in (1, 4):
            xy = torch.tensor([[[[13 * 64 / shape[0], 5 * 64 / shape[1]]]]])
            inputs = {"point_coords": xy, "point_labels": torch.ones(1, 1, 1, dtype=torch.int32)}
            session.add_point_inputs(number, key, inputs)
        return [1, 4]

    logits = np.moveaxis(_answer(sam2, image, Prompt(points)), 2, 0)

    forward, back = (_by_hand(sam2, image, 2, say, reverse=r) for r in (False, True))
    upright = {n: np.moveaxis(logits, 0, 0)[n].T[::-1, ::-1] for n in range(6)}
    np.testing.assert_allclose(upright[0], back[0].clip(-20, 20), atol=1e-4)
    np.testing.assert_allclose(upright[5], forward[5].clip(-20, 20), atol=1e-4)
    np.testing.assert_allclose(upright[4], forward[4].clip(-20, 20), atol=1e-4)

    def probability(values):
        return 1 / (1 + np.exp(-values.clip(-20, 20).astype(np.float64)))

    # slice 2 is one step from key slice 1 and two from key slice 4
    expected = 2 / 3 * probability(forward[2]) + 1 / 3 * probability(back[2])
    np.testing.assert_allclose(probability(upright[2]), expected, atol=1e-5)


def test_answers_of_two_passes_are_joined_by_the_distance_to_the_key_slices():
    one, other = np.full((1, 1), np.log(3.0), np.float32), np.zeros((1, 1), np.float32)  # 3/4, 1/2
    forward, back = dict.fromkeys(range(2, 8), one), dict.fromkeys(range(7), other)
    forward[2] = forward[6] = other  # key slices say the same both ways

    joint = joined(forward, back, [2, 6])

    probability = {index: 1 / (1 + np.exp(-value.item())) for index, value in joint.items()}
    assert probability == pytest.approx(
        {0: 0.5, 1: 0.5, 2: 0.5, 3: 0.6875, 4: 0.625, 5: 0.5625, 6: 0.5, 7: 0.75}
    )
    assert all(value.dtype == np.float32 for value in joint.values())


def test_a_key_slice_at_either_end_is_followed_the_one_way_there_is(sam2, image):
    for end in (0, 5):
        prompt = Prompt(Points(np.array([[6, 8, end]]), np.array([True])))
        assert (_answer(sam2, image, prompt) != OUTSIDE_LOGIT).any(axis=(0, 1)).all()


def test_reach_limits_how_far_an_object_is_followed(sam2, image):
    prompt = Prompt(Points(np.array([[6, 8, 1], [6, 8, 3]]), np.array([True, True])))

    logits = _answer(sam2, image, prompt, reach=1)

    visited = (logits != OUTSIDE_LOGIT).any(axis=(0, 1))
    assert visited.tolist() == [True, True, True, True, True, False]


def test_sets_do_not_touch_each_other_and_features_are_computed_once(sam2, image, monkeypatch):
    encoded = []
    encode = sam2.get_image_features
    monkeypatch.setattr(
        sam2, "get_image_features", lambda *a, **k: encoded.append(1) or encode(*a, **k)
    )
    generalist = _sam2(sam2)
    click = Points(np.array([[6, 5, 3]]), np.array([True]))
    sets = [Prompt(box=BOX), Prompt(click, mask=_ball(image.shape[1:])), Prompt(click), Prompt()]
    embedding = generalist.embed(image, SPACING_MM)
    assert not encoded

    together = generalist.segment(embedding, sets)

    assert len(encoded) == len(embedding.theatre.features) == 6
    for answer, prompt in zip(together.logits, sets, strict=True):
        np.testing.assert_array_equal(answer, _answer(sam2, image, prompt, kept_slices=1))
    assert (together.logits[3] == OUTSIDE_LOGIT).all()
    assert np.isnan(together.predicted_iou).all()


def test_three_channels_are_shown_as_rgb_and_a_chosen_one_in_grey(sam2, image):
    three = np.concatenate([image, 2 * image[:, ::-1], image[:, :, ::-1] ** 2])

    rgb = _sam2(sam2).embed(three, SPACING_MM).theatre.film[2]
    grey = _sam2(sam2, channel=1).embed(three, SPACING_MM).theatre.film[2]

    assert rgb.shape == grey.shape == (3, 64, 64)
    torch.testing.assert_close(rgb[1], grey[1])
    assert not torch.equal(rgb[0] * 0.229 + 0.485, rgb[1] * 0.224 + 0.456)
    torch.testing.assert_close(grey[0] * 0.229 + 0.485, grey[1] * 0.224 + 0.456)
    with pytest.raises(UsageError, match="channel is 3, but the image has 3 channels"):
        _sam2(sam2, channel=3).embed(three, SPACING_MM)


def test_a_frame_is_stretched_and_standardised():
    pictures = np.zeros((2, 10, 20, 1), np.uint8)
    pictures[1, :5] = 255

    film = Film(pictures, 8)

    assert (len(film), list(film), film[1].shape) == (2, [0, 1], (3, 8, 8))
    values = film[1] * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    values += torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    torch.testing.assert_close(values[:, :3], torch.ones(3, 3, 8))
    torch.testing.assert_close(values[:, 5:], torch.zeros(3, 3, 8))


def test_percentiles_must_rise_and_weights_be_named(sam2_folder):
    with pytest.raises(RecipeError, match="two rising numbers"):
        Sam2.build({"window_percentiles": [60, 40]}, checkpoint=sam2_folder, device="cpu")
    with pytest.raises(UsageError, match=r"sam2.*needs --checkpoint: sam2\.1_hiera_tiny\.pt"):
        Sam2.build({}, checkpoint=None, device="cpu")
