import numpy as np
import pytest

from samssl_cli.generalists.sam_prompts import slice_prompts
from samssl_cli.generalists.sam_slices import Slicing
from samssl_cli.prompts.types import Box, Points, Prompt

CUT = Slicing(2, (10, 8, 6))  # pictures of 8 rows and 10 columns; x = 9 - i, y = 7 - j


def _mask(*corners: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(CUT.shape, bool)
    for corner in corners:
        mask[corner] = True
    return mask


def _said(prompt: Prompt, *, margin: int = 1) -> list:
    return slice_prompts(prompt, CUT, box_margin=margin, with_mask=True)


def test_a_mask_is_said_on_its_own_slices_with_a_widened_box():
    low, high = _said(Prompt(mask=_mask((4, 3, 1), (5, 3, 1), (2, 2, 3))))

    assert (low.index, high.index) == (1, 3)
    assert low.box == (3, 3, 6, 5)  # x 4-5 and y 4, one pixel more on each side
    assert low.mask is not None
    assert low.mask[4].nonzero()[0].tolist() == [4, 5]


def test_the_margin_stays_inside_the_picture_and_the_3d_box():
    corner = _said(Prompt(mask=_mask((9, 7, 0))), margin=2)
    boxed = _said(Prompt(mask=_mask((5, 4, 0)), box=Box((5, 3, 0), (7, 6, 2))), margin=2)

    assert corner[0].box == (0, 0, 2, 2)
    assert boxed[0].box == (3, 2, 4, 4)  # i 5-6, j 3-5


def test_a_3d_box_elsewhere_does_not_hide_the_mask():
    (said,) = _said(Prompt(mask=_mask((2, 2, 0))), margin=0)
    (also,) = _said(Prompt(mask=_mask((2, 2, 0)), box=Box((8, 6, 0), (9, 7, 1))), margin=0)

    assert said.box == also.box == (7, 5, 7, 5)


def test_without_a_mask_the_box_is_said_on_every_slice_it_spans():
    said = _said(Prompt(box=Box((1, 2, 3), (4, 5, 6)), mask=_mask()))

    assert [s.index for s in said] == [3, 4, 5]
    assert {s.box for s in said} == {(6, 3, 8, 5)}
    assert all(s.mask is None for s in said)


def test_points_go_to_their_slices_and_only_positive_ones_open_a_slice():
    points = Points(np.array([[1, 2, 4], [3, 3, 4], [0, 0, 5]]), np.array([True, False, False]))

    (said,) = _said(Prompt(points=points))

    assert said.index == 4
    assert said.points.tolist() == [[8, 5], [6, 4]]
    assert said.is_positive.tolist() == [True, False]
    assert said.box is None


@pytest.mark.parametrize(
    "prompt",
    [Prompt(), Prompt(mask=_mask()), Prompt(Points(np.array([[1, 1, 1]]), np.array([False])))],
    ids=["nothing", "empty mask", "one negative point"],
)
def test_a_prompt_that_points_nowhere_visits_no_slice(prompt):
    assert _said(prompt) == []
