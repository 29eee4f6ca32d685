import numpy as np
import pytest

from samssl_cli.generalists.sam_mosaic import Mosaic
from samssl_cli.generalists.sam_prompts import SlicePrompt
from samssl_cli.generalists.sam_slices import Slicing

NINE_AND_ONE = Mosaic(side=3, num_slices=10, tile=(2, 4))


def test_slices_lie_row_by_row_and_the_rest_is_black():
    slices = np.arange(1, 11)[:, None, None, None] * np.ones((10, 2, 4, 1), np.uint8)

    first, second = NINE_AND_ONE.stitch(slices.astype(np.uint8))

    assert first.shape == (6, 12, 1)
    assert first[::2, ::4, 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert second[:2, :4].min() == 10
    assert second.sum() == 10 * 8


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_what_was_stitched_is_cut_out_again(side):
    mosaic = Mosaic(side, 7, (3, 5))
    slices = np.random.default_rng(0).random((7, 3, 5)).astype(np.float32)

    pictures = mosaic.stitch(slices)

    for index in range(7):
        found = mosaic.cut_out(pictures[index // side**2], index)
        np.testing.assert_array_equal(found, slices[index])


def test_what_is_said_moves_into_its_tile():
    mask = np.zeros((2, 4), bool)
    mask[1, 2] = True
    said = SlicePrompt(5, np.array([[2.0, 1.0]]), np.array([True]), (1, 0, 3, 1), mask, mask)

    placed = NINE_AND_ONE.place(said)  # slice 5: second row, third column

    assert placed.index == 0
    assert placed.points.tolist() == [[10, 3]]
    assert placed.box == (9, 2, 11, 3)
    assert placed.mask.nonzero() == (3, 10)
    assert placed.seen is mask
    assert placed.corner == (2, 8)
    assert placed.is_positive.tolist() == [True]


def test_what_is_not_said_stays_unsaid():
    said = SlicePrompt(9, np.zeros((0, 2)), np.zeros(0, bool))

    placed = NINE_AND_ONE.place(said)

    assert (placed.index, placed.box, placed.mask, placed.seen) == (1, None, None, None)
    assert placed.points.shape == (0, 2)


@pytest.mark.parametrize(
    ("num_slices", "side"), [(1, 1), (4, 2), (5, 3), (80, 9), (81, 9), (88, 10)]
)
def test_fit_holds_the_volume_in_one_picture(num_slices, side):
    mosaic = Mosaic.of(Slicing(2, (112, 110, num_slices)), "fit")

    assert (mosaic.side, mosaic.num_pictures) == (side, 1)
    assert mosaic.size == (side * 110, side * 112)
