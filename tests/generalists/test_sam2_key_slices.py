import numpy as np
import pytest

from samssl_cli.generalists.sam2_key_slices import key_slices
from samssl_cli.generalists.sam_prompts import SlicePrompt


def said(index: int, area: int | None = None, clicks: int = 0) -> SlicePrompt:
    mask = None
    if area is not None:
        mask = np.zeros((4, 5), bool)
        mask.flat[:area] = True
    return SlicePrompt(index, np.zeros((clicks, 2)), np.ones(clicks, bool), None, mask)


def chosen(prompts, num_key_slices: int = 1) -> list[int]:
    return [prompt.index for prompt in key_slices(prompts, num_key_slices=num_key_slices)]


def test_the_largest_cross_section_is_a_key_slice_and_the_first_of_equals():
    assert chosen([said(3, 2), said(4, 9), said(5, 9), said(6, 1)]) == [4]


def test_without_a_mask_it_is_the_middle_one():
    assert chosen([said(index) for index in range(2, 7)]) == [4]


def test_every_slice_with_a_click_is_a_key_slice():
    assert chosen([said(3, 2, clicks=1), said(4, 9), said(5, 3), said(6, 1, clicks=2)]) == [3, 4, 6]


# of the slices 10 … 18, the largest is 11; further ones divide 10 … 18 evenly
@pytest.mark.parametrize(
    ("number", "expected"), [(1, [11]), (2, [11, 14]), (4, [11, 12, 14, 16]), (30, range(10, 19))]
)
def test_further_ones_are_evenly_spaced(number, expected):
    prompts = [said(index, 9 if index == 11 else 1) for index in range(10, 19)]

    assert chosen(prompts, number) == list(expected)


def test_nothing_said_has_no_key_slice():
    assert chosen([]) == []
    assert chosen([said(7, 1)], 3) == [7]
