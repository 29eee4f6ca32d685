import numpy as np
import pytest

from samssl_cli.generalists.sam_slices import Slicing, slicing, windowed
from samssl_cli.prompts.types import Box


def test_an_axial_picture_has_anterior_on_top_and_the_right_side_on_the_left():
    volume = np.zeros((4, 3, 2), int)
    volume[3, 2, 1] = 5  # RAS+: the right, anterior corner of the upper slice

    pictures = Slicing(2, (4, 3, 2)).pictures(volume)

    assert pictures.shape == (2, 3, 4)
    assert pictures[1, 0, 0] == 5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_voxel_and_a_box_are_found_where_the_picture_shows_them(axis):
    shape = (5, 6, 7)
    cut = Slicing(axis, shape)
    box = Box((1, 2, 3), (2, 5, 7))
    volume = np.zeros(shape, int)
    volume[box.slices] = 1
    volume[1, 4, 5] = 2

    (x, y), *_ = cut.xy(np.array([[1, 4, 5]])).astype(int)
    x0, y0, x1, y1 = cut.rectangle(box)
    picture = cut.pictures(volume)[(1, 4, 5)[axis]]

    assert picture[y, x] == 2
    assert (picture[y0 : y1 + 1, x0 : x1 + 1] > 0).all()
    assert (picture > 0).sum() == (y1 + 1 - y0) * (x1 + 1 - x0)
    assert picture.shape == cut.size


def test_writing_to_the_pictures_writes_to_the_volume():
    volume = np.zeros((2, 3, 4))
    Slicing(0, (2, 3, 4)).pictures(volume)[1, 0, 0] = 1

    assert volume[1, 2, 3] == 1


@pytest.mark.parametrize(
    ("name", "shape", "axis"),
    [("i", (9, 9, 9), 0), ("j", (9, 9, 9), 1), ("auto", (9, 9, 9), 2), ("auto", (3, 9, 5), 0)],
)
def test_the_axis_is_the_one_named_or_the_shortest(name, shape, axis):
    assert slicing(name, shape).axis == axis


def test_intensities_between_the_percentiles_fill_the_grey_scale():
    volume = np.arange(101, dtype=np.float32).reshape(1, 1, 101)

    shown = windowed(volume, (10, 60))  # 35 is half way from 10 to 60; 127.5 rounds to even

    assert shown[0, 0, [0, 10, 35, 60, 100]].tolist() == [0, 0, 128, 255, 255]


def test_a_constant_image_is_black():
    assert not windowed(np.full((2, 2, 2), 3, np.float32), (0.5, 99.5)).any()
