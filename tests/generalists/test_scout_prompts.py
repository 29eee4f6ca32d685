import math

import numpy as np
import pytest
import torch

from samssl_cli.generalists.scout_prompts import encode
from samssl_cli.generalists.scout_view import View

NONE = np.zeros((0, 3))


def view(step=1.0, side=6, middle=2.5):
    return View(np.full(3, middle), np.full(3, step), (side, side, side))


def encoded(where, image=None, **said):
    image = torch.zeros(where.shape) if image is None else image
    nothing = {"mask": None, "box": None, "inside": NONE, "outside": NONE}
    channels = encode(where, image, **(nothing | said))
    assert channels.shape == (6, *where.shape)
    assert channels.dtype == torch.float32
    return channels


def test_what_was_not_said_is_zero():
    assert not encoded(view()).any()


def test_the_image_is_standardised_within_the_view():
    image = torch.arange(216.0).view(6, 6, 6)
    first = encoded(view(), image)[0]
    assert float(first.mean()) == pytest.approx(0, abs=1e-5)
    assert float(first.std()) == pytest.approx(1, abs=1e-5)
    outlier = torch.zeros(6, 6, 6)
    outlier[0, 0, 0] = 1e6
    assert float(encoded(view(), outlier)[0].max()) == 6


def test_a_mask_is_said_from_minus_one_to_one():
    mask = torch.zeros(6, 6, 6)
    mask[1], mask[2] = 1.0, 0.75
    assert encoded(view(), mask=mask)[1, :, 0, 0].tolist() == [-1, 1, 0.5, -1, -1, -1]


def test_a_box_is_one_inside_and_half_where_its_border_is():
    box = np.array([1.0, 1, 1]), np.array([3.0, 3, 3])
    drawn = encoded(view(), box=box)[2]
    assert drawn[:, 1, 1].tolist() == [0, 1, 1, 0, 0, 0]
    assert int(drawn.sum()) == 2**3
    # Grid points 2 voxels apart at 0.5, 2.5, …: the border at 2.5 is half inside, half outside.
    coarse = encoded(view(step=2.0, side=6, middle=5.5), box=box)[2]
    assert coarse[:, 0, 0].tolist() == [0.5**2 * 0.5, 0.125, 0, 0, 0, 0]


def test_clicks_are_gaussians_of_two_grid_points():
    clicks = np.array([[1.0, 1, 1], [5, 1, 1]])
    channels = encoded(view(), inside=clicks)
    assert channels[3, 1, 1, 1] == 1
    assert float(channels[3, 3, 1, 1]) == pytest.approx(math.exp(-0.5))  # two from either
    assert float(channels[3, 1, 3, 3]) == pytest.approx(math.exp(-1))
    assert not channels[4].any()
    swapped = encoded(view(), outside=clicks)
    assert torch.equal(swapped[4], channels[3])
    assert not swapped[3].any()


def test_a_click_between_grid_points_of_another_spacing():
    where = View(np.array([2.0, 2, 2]), np.array([1.0, 2.0, 0.5]), (3, 3, 3))
    drawn = encoded(where, inside=np.array([[2.0, 2, 2]]))[3]
    neighbours = [drawn[0, 1, 1], drawn[1, 0, 1], drawn[1, 1, 0]]
    assert [float(v) for v in neighbours] == pytest.approx([math.exp(-1 / 8)] * 3)
