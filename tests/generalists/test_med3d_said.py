import numpy as np
import pytest

from samssl_cli.generalists.med3d_said import Clicks, hear
from samssl_cli.prompts.types import Box, Points, Prompt

SHAPE, GRID = (4, 4, 4), (8, 8, 4)  # twice as many voxels along i and j


def _said(prompt: Prompt, *, mask_logit: float | None = 8.0, max_clicks: int = 10):
    return hear(prompt, SHAPE, GRID, mask_logit=mask_logit, max_clicks=max_clicks)


def _points(*signed: tuple[int, int, int, int]) -> Points:
    table = np.array(signed)
    return Points(table[:, :3], table[:, 3] > 0)


def _mask(*voxels: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for voxel in voxels:
        mask[voxel] = True
    return mask


def test_clicks_move_to_the_same_place_and_positive_ones_come_first():
    said = _said(Prompt(points=_points((3, 0, 1, -1), (1, 2, 3, 1), (0, 0, 0, 1))))

    # along i and j the centre of voxel n is at 2 n + 0.5
    assert said.clicks.coordinates.tolist() == [[2.5, 4.5, 3], [0.5, 0.5, 0], [6.5, 0.5, 1]]
    assert said.clicks.is_positive.tolist() == [True, True, False]
    assert said.mask_logits is None


def test_clicks_beyond_the_allowed_number_are_left_out():
    said = _said(Prompt(points=_points((3, 0, 1, -1), (1, 2, 3, 1), (0, 0, 0, 1))), max_clicks=1)

    assert said.clicks.coordinates.tolist() == [[2.5, 4.5, 3]]


@pytest.mark.parametrize(
    ("prompt", "low", "high"),
    [
        (Prompt(mask=_mask((1, 1, 1), (2, 1, 3))), [2, 2, 1], [6, 4, 4]),
        (Prompt(box=Box((0, 1, 2), (4, 2, 3))), [0, 2, 2], [8, 4, 3]),
        (Prompt(points=_points((1, 1, 1, 1), (3, 1, 0, 1), (0, 0, 3, -1))), [2, 2, 0], [8, 4, 2]),
        (
            Prompt(_points((0, 0, 0, 1)), Box((0, 0, 0), (4, 4, 4)), _mask((1, 1, 1))),
            [2, 2, 1],
            [4, 4, 2],
        ),
    ],
    ids=["mask", "box", "positive clicks", "mask before box before clicks"],
)
def test_the_object_is_where_the_mask_the_box_or_the_positive_clicks_are(prompt, low, high):
    said = _said(prompt)

    assert said.faces[0].tolist() == low
    assert said.faces[1].tolist() == high


@pytest.mark.parametrize(
    "prompt",
    [Prompt(), Prompt(mask=_mask()), Prompt(points=_points((1, 1, 1, -1)))],
    ids=["nothing", "empty mask", "negative click"],
)
def test_a_prompt_may_not_say_where_the_object_is(prompt):
    assert _said(prompt) is None


def test_a_mask_becomes_logits_by_its_share_of_each_voxel():
    said = _said(Prompt(mask=np.ones(SHAPE, bool)))
    half = hear(
        Prompt(mask=_mask((0, 0, 0), (1, 0, 0), (2, 0, 0))),
        SHAPE,
        (2, 4, 4),
        mask_logit=8.0,
        max_clicks=1,
    )

    assert (said.mask_logits == 8).all()
    assert said.mask_logits.shape == GRID
    assert not said.clicks.is_positive.size
    # the first voxel of the coarse grid lies between two inside, the second between one and none
    assert half.mask_logits[:, 0, 0].tolist() == [8, 0]
    assert half.mask_logits[:, 1, 0].tolist() == [-8, -8]


def test_a_mask_too_thin_for_the_grid_is_clicked():
    said = hear(Prompt(mask=_mask((1, 2, 3))), SHAPE, (2, 2, 2), mask_logit=8.0, max_clicks=10)

    assert said.mask_logits is None
    # voxel n has its centre at n / 2 - 0.25
    assert said.clicks.coordinates.tolist() == [[0.25, 0.75, 1.25]]
    assert said.faces[0].tolist() == [0.5, 1, 1.5]


def test_the_middle_of_a_box_is_clicked_when_nothing_else_is_said():
    said = _said(Prompt(points=_points((0, 0, 0, -1)), box=Box((0, 1, 2), (4, 2, 3))))

    # between voxels 1 and 2 along i, on 1 along j and on 2 along k
    assert said.clicks.coordinates.tolist() == [[3.5, 2.5, 2], [0.5, 0.5, 0]]
    assert said.clicks.is_positive.tolist() == [True, False]


def test_the_deepest_voxel_is_clicked_when_the_mask_is_not_passed_on():
    mask = np.zeros(SHAPE, bool)
    mask[:3, :3, :3] = True

    said = _said(Prompt(mask=mask), mask_logit=None)

    assert said.mask_logits is None
    assert said.clicks.coordinates.tolist() == [[2.5, 2.5, 1]]


def test_clicks_within_a_window_are_those_on_its_voxels():
    clicks = Clicks(np.array([[3.5, 0, 0], [3.4, 0, 0], [7.5, 0, 0]]), np.array([1, 0, 1], bool))

    within = clicks.within((4, 0, 0), 4)

    # voxels 4 to 7 reach from 3.5 to below 7.5
    assert within.coordinates.tolist() == [[-0.5, 0, 0]]
    assert within.is_positive.tolist() == [True]
