import numpy as np
import pytest
import torch
from torch.nn import functional

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.exposure import known_generalists
from samssl_cli.generalists.med3d_windows import OUTSIDE_LOGIT
from samssl_cli.generalists.sam_med3d import SPACING_MM, SamMed3d
from samssl_cli.prompts.types import Box, Points, Prompt

WHOLE = Box((0, 0, 0), (32, 32, 32))


@pytest.fixture
def cube() -> np.ndarray:
    """(1, 32, 32, 32) float32: as large as a window of the tiny model."""
    return np.random.default_rng(0).normal(size=(1, 32, 32, 32)).astype(np.float32)


def _asked(model, **options) -> SamMed3d:
    return SamMed3d(model, SamMed3d.Options(**options))


def _points(*signed: tuple[int, int, int, int]) -> Points:
    table = np.array(signed)
    return Points(table[:, :3], table[:, 3] > 0)


def _ball(shape: tuple[int, int, int], centre: tuple[int, int, int], radius: float) -> np.ndarray:
    offsets = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return (offsets**2).sum(axis=0) < radius**2


def _features(model, cube: np.ndarray) -> torch.Tensor:
    air = cube.min()
    tissue = cube[cube > air + 1e-4 * (cube.max() - air)]
    seen = (cube - tissue.mean()) / tissue.std(ddof=1)
    return model.encode(torch.from_numpy(seen)[None])


def _upscaled(low_res: torch.Tensor) -> np.ndarray:
    return functional.interpolate(low_res, (32, 32, 32), mode="trilinear")[0, 0].numpy()


def test_clicks_are_given_one_at_a_time_with_the_answer_before(med3d, cube):
    generalist = _asked(med3d)
    clicks = _points((3, 4, 5, 1), (20, 21, 22, 1), (30, 1, 2, -1))

    proposal = generalist.segment(
        generalist.embed(cube, SPACING_MM), [Prompt(points=clicks, box=WHOLE)]
    )

    features, previous = _features(med3d, cube), torch.zeros(1, 1, 16, 16, 16)
    for place, sign in (([3.0, 4, 5], True), ([20.0, 21, 22], True), ([30.0, 1, 2], False)):
        coordinates, signs = torch.tensor([[place]]), torch.tensor([[sign]])
        previous, _ = med3d.answer(features, coordinates, signs, previous)
    np.testing.assert_allclose(proposal.logits[0], _upscaled(previous), atol=1e-4)
    assert np.isnan(proposal.predicted_iou).all()


def test_a_mask_alone_is_one_answer_to_its_logits(med3d, cube):
    generalist = _asked(med3d, mask_logit=5.0)
    mask = np.zeros((32, 32, 32), bool)
    mask[:, :, :16] = True
    mask[0, 0, 31] = True  # so that its box is the whole window

    proposal = generalist.segment(generalist.embed(cube, SPACING_MM), [Prompt(mask=mask)])

    signs = torch.tensor(np.where(mask, 5.0, -5.0), dtype=torch.float32)
    low_res = functional.avg_pool3d(signs[None, None], 2)  # the tiny model draws half of 32
    no_clicks = torch.zeros(1, 0, 3), torch.zeros(1, 0, dtype=torch.bool)
    expected, _ = med3d.answer(_features(med3d, cube), *no_clicks, low_res)
    np.testing.assert_allclose(proposal.logits[0], _upscaled(expected), atol=1e-4)


def test_the_rating_is_given_when_asked_for(med3d, cube):
    generalist = _asked(med3d, predicted_iou="head")
    prompt = Prompt(points=_points((16, 16, 16, 1)))

    proposal = generalist.segment(generalist.embed(cube, SPACING_MM), [prompt, Prompt()])

    assert 0 <= proposal.predicted_iou[0] <= 1
    assert np.isnan(proposal.predicted_iou[1])


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points=_points((9, 7, 3, 1), (2, 2, 1, -1))),
        Prompt(box=Box((5, 4, 1), (15, 10, 5))),
        Prompt(mask=_ball((20, 14, 6), (9, 7, 3), 4)),
        Prompt(
            _points((9, 7, 3, 1)), Box((5, 4, 1), (15, 10, 5)), _ball((20, 14, 6), (9, 7, 3), 4)
        ),
    ],
    ids=["points", "box", "mask", "all"],
)
@pytest.mark.parametrize(
    "spacing_mm", [(1.5, 1.5, 1.5), (0.8, 1.1, 3.0)], ids=["its own grid", "anisotropic"]
)
def test_every_kind_of_prompt_is_answered_on_the_grid_of_the_image(
    med3d, image, spacing_mm, prompt
):
    generalist = _asked(med3d)
    embedding = generalist.embed(image, spacing_mm)

    proposal = generalist.segment(embedding, [prompt, Prompt()])

    assert proposal.logits.shape == (2, 20, 14, 6)
    assert proposal.logits.dtype == np.float32
    assert np.isfinite(proposal.logits).all()
    assert proposal.logits[0].std() > 0
    assert (proposal.logits[1] == OUTSIDE_LOGIT).all()
    assert embedding.num_encoded == 1


def test_the_image_is_seen_at_one_and_a_half_millimetres(med3d, image):
    embedding = _asked(med3d).embed(image, (3.0, 1.5, 0.75))

    # (20, 14, 6) voxels of 3, 1.5 and 0.75 mm
    assert embedding.grid_shape == (40, 14, 3)
    assert embedding.shape == (20, 14, 6)


def test_a_click_means_the_same_place_on_every_grid(med3d):
    fine = np.random.default_rng(1).normal(size=(1, 16, 16, 16)).astype(np.float32)
    doubled = fine.repeat(2, axis=1).repeat(2, axis=2).repeat(2, axis=3)
    generalist = _asked(med3d, max_clicks=1)
    wide = generalist.embed(fine, (3.0, 3.0, 3.0))

    # voxel 8 of 3 mm has its centre at 25.5 mm, between voxels 16 and 17 of 1.5 mm
    logits = generalist.segment(wide, [Prompt(_points((8, 8, 8, 1)), WHOLE_COARSE)]).logits
    near = generalist.embed(doubled, SPACING_MM)
    around = generalist.segment(near, [Prompt(_points((16, 16, 16, 1)), WHOLE)]).logits

    assert wide.grid_shape == near.grid_shape == (32, 32, 32)
    assert logits.shape == (1, 16, 16, 16)
    assert np.corrcoef(logits[0].ravel(), around[0, ::2, ::2, ::2].ravel())[0, 1] > 0.5


WHOLE_COARSE = Box((0, 0, 0), (16, 16, 16))


def test_all_prompts_of_an_object_share_its_windows(med3d, cube):
    generalist = _asked(med3d)
    embedding = generalist.embed(cube, SPACING_MM)
    balls = [_ball((32, 32, 32), (n, 15, 16), 6) for n in (14, 15, 16)]

    first = generalist.segment(embedding, [Prompt(mask=ball) for ball in balls])
    again = generalist.segment(embedding, [Prompt(mask=ball) for ball in balls])

    assert embedding.num_encoded == 1
    np.testing.assert_array_equal(first.logits, again.logits)
    assert not np.array_equal(first.logits[0], first.logits[2])


def test_a_large_object_is_stitched_from_the_windows_that_see_it(med3d):
    image = np.random.default_rng(2).normal(size=(1, 64, 32, 32)).astype(np.float32)
    mask = np.zeros((64, 32, 32), bool)
    mask[4:60, 8:24, 8:24] = True
    generalist = _asked(med3d)
    embedding = generalist.embed(image, SPACING_MM)

    (logits,) = generalist.segment(embedding, [Prompt(mask=mask)]).logits

    # 56 voxels: from 4 - 8 to 60 + 8 - 32 = 36, at most 16 apart: -4, 9, 23 (22.7) and 36
    assert embedding.num_encoded == 4
    assert (logits != OUTSIDE_LOGIT).all()  # along j and k one window covers the volume


def test_windows_without_a_click_or_the_mask_are_not_asked(med3d):
    image = np.random.default_rng(2).normal(size=(1, 96, 32, 32)).astype(np.float32)
    generalist = _asked(med3d, overlap=0.0)
    embedding = generalist.embed(image, SPACING_MM)
    box = Box((0, 0, 0), (96, 32, 32))

    (logits,) = generalist.segment(
        embedding, [Prompt(points=_points((2, 16, 16, 1), (90, 16, 16, -1)), box=box)]
    ).logits

    # from -8 to 96 + 8 - 32 = 72, at most 32 apart: -8, 19 (18.7), 45 and 72; the first is clicked
    assert embedding.num_encoded == 1
    assert (logits[24:] == OUTSIDE_LOGIT).all()
    assert (logits[:24] != OUTSIDE_LOGIT).all()


def test_one_voxel_of_image_is_answered(med3d):
    generalist = _asked(med3d)

    proposal = generalist.segment(
        generalist.embed(np.ones((1, 1, 1, 1), np.float32), SPACING_MM),
        [Prompt(mask=np.ones((1, 1, 1), bool))],
    )

    assert proposal.logits.shape == (1, 1, 1, 1)
    assert np.isfinite(proposal.logits).all()


def test_the_channel_is_chosen_and_must_be_there(med3d, image):
    two = np.concatenate([image, -image])
    second = _asked(med3d, channel=1).embed(two, SPACING_MM)
    only = _asked(med3d).embed(-image, SPACING_MM)

    np.testing.assert_array_equal(second.window((0, 0, 0)), only.window((0, 0, 0)))
    with pytest.raises(UsageError, match=r"channel is 1, but the image has 1 channels"):
        _asked(med3d, channel=1).embed(image, SPACING_MM)


def test_build_needs_weights_and_known_options():
    with pytest.raises(UsageError, match=r"needs --checkpoint: sam_med3d_turbo\.pth"):
        SamMed3d.build({}, checkpoint=None, device="cpu")
    with pytest.raises(RecipeError, match=r"overlap: Input should be less than 1"):
        SamMed3d.build({"overlap": 1}, checkpoint=None, device="cpu")


@pytest.mark.parametrize("name", [name for name, row in GENERALISTS.items() if row.trainings])
def test_the_default_training_is_that_of_the_options(name):
    from samssl_cli.registry import load

    trainings = GENERALISTS[name].trainings
    field = load(GENERALISTS, name, kind="generalist").Options.model_fields[trainings.option]

    assert field.default == trainings.default
    assert set(field.annotation.__args__) == set(trainings.names)
    assert set(trainings.names.values()) <= set(known_generalists())
