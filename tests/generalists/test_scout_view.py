import math

import numpy as np
import pytest
import torch

from samssl_cli.generalists.scout_view import View, fit_view


def view(centre, step, shape):
    return View(np.array(centre, np.float64), np.array(step, np.float64), shape)


def ramp(shape, slopes=(1.0, 10.0, 100.0)):
    """(1, I, J, K) float32: i + 10 j + 100 k."""
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in shape), indexing="ij")
    return sum(slope * axis for slope, axis in zip(slopes, axes, strict=True))[None]


def test_a_view_of_the_very_grid_is_the_volume():
    volume = torch.randn(2, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    same = view((2.5, 2, 1.5), (1, 1, 1), (6, 5, 4))
    assert torch.equal(same.sample(volume), volume)
    assert torch.equal(same.paste(volume, (6, 5, 4), -10.0), volume)


@pytest.mark.parametrize("step", [(0.5, 0.5, 0.5), (2.0, 2.0, 2.0), (3.0, 1.0, 0.5)])
def test_a_ramp_is_read_where_the_grid_points_lie(step):
    # A linear ramp stays what it is under averaging and interpolation, away from the border.
    seen = view((10, 9, 8), step, (4, 4, 4)).sample(ramp((21, 19, 17)))
    offsets = np.arange(4) - 1.5
    i, j, k = (c + s * offsets for c, s in zip((10, 9, 8), step, strict=True))
    expected = i[:, None, None] + 10 * j[:, None] + 100 * k
    np.testing.assert_allclose(seen[0].numpy(), expected, rtol=1e-5)


def test_far_grid_points_see_the_mean_of_what_lies_between():
    # One voxel of 27 in a row of three along each axis: 1/27 where the window of 3 holds it.
    volume = torch.zeros(1, 9, 9, 9)
    volume[0, 4, 4, 4] = 27
    seen = view((4, 4, 4), (3, 3, 3), (3, 3, 3)).sample(volume)
    assert seen[0, 1, 1, 1] == pytest.approx(1)
    assert float(seen.sum()) == pytest.approx(1)


def test_what_lies_outside_is_zero_or_the_border():
    volume = torch.full((1, 4, 4, 4), 5.0)
    beside = view((-3, 1.5, 1.5), (1, 1, 1), (4, 4, 4))
    assert beside.sample(volume)[0, :, 0, 0].tolist() == [0, 0, 0, 0]
    assert beside.sample(volume, padding="border")[0, :, 0, 0].tolist() == [5, 5, 5, 5]


def test_a_coarser_volume_covers_the_same_place():
    # Voxel c of half the resolution lies at 2 c + 0.5 of the image.
    fine, coarse = ramp((16, 16, 16)), ramp((8, 8, 8), (2.0, 20.0, 200.0)) + 0.5 * 111
    where = view((8, 7, 6), (1, 1, 1), (4, 4, 4))
    assert torch.allclose(where.sample(coarse, coarser=2), where.sample(fine), rtol=1e-5)


@pytest.mark.parametrize("step", [0.5, 1.7, 3.0])
def test_a_smooth_answer_comes_back_to_where_it_was(step):
    volume = ramp((24, 22, 20))
    around = view((12, 10.5, 9), (step,) * 3, (6, 6, 6))
    back = around.paste(around.sample(volume), (24, 22, 20), -1.0)
    between = [  # the voxels that lie between grid points
        np.flatnonzero(np.abs(np.arange(n) - c) <= 2.5 * step)
        for n, c in zip((24, 22, 20), around.centre, strict=True)
    ]
    i, j, k = np.ix_(*between)
    np.testing.assert_allclose(back[0].numpy()[i, j, k], volume[0].numpy()[i, j, k], rtol=1e-4)


def test_voxels_beyond_the_view_get_the_given_value():
    pasted = view((1.5, 3, 3), (1, 1, 1), (2, 2, 2)).paste(torch.ones(1, 2, 2, 2), (7, 7, 7), -9.0)
    # Points lie at 1 and 2 (2.5 and 3.5 along the others), and reach half a step farther.
    assert (pasted[0, :, 3, 3] == 1).nonzero().flatten().tolist() == [1, 2]
    assert (pasted[0, 1, :, 3] == 1).nonzero().flatten().tolist() == [2, 3, 4]
    assert float(pasted.min()) == -9
    far = view((90, 90, 90), (1, 1, 1), (2, 2, 2)).paste(torch.ones(1, 2, 2, 2), (7, 7, 7), -9.0)
    assert (far == -9).all()


def box(low, high):
    return np.array(low, np.float64), np.array(high, np.float64)


def fitted(low, high, spacing=(1, 1, 1), *, margin=0.0, budget=125_000):
    return fit_view(*box(low, high), np.array(spacing, float), margin=margin, budget=budget)


def test_a_small_object_is_enlarged_twice_at_most():
    # 10 voxels with a fifth on each side: 14, of which 28 grid points half a voxel apart, 32 of 8s.
    one = fitted((0, 0, 0), (10, 10, 10), margin=0.2)
    assert one.step.tolist() == [0.5, 0.5, 0.5]
    assert one.shape == (32, 32, 32)
    assert one.centre.tolist() == [4.5, 4.5, 4.5]


def test_a_large_object_fills_the_budget():
    # 150 voxels at 3 make 50, so 56 of 8s: 175 616 are too many; 48 of them hold 150 from 3.125 on,
    # and the first of 3 * 1.02 ** n above that is n = 3.
    one = fitted((0, 0, 0), (100, 100, 100), margin=0.25)
    assert one.shape == (48, 48, 48)
    assert one.step == pytest.approx([3 * 1.02**3] * 3)


def test_a_thin_object_gets_context():
    one = fitted((0, 0, 0), (100, 1, 1))
    sides = one.step * one.shape
    assert (sides >= [100, 35, 35]).all()


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.625, 0.625, 1.25), (0.4, 5, 1)])
@pytest.mark.parametrize("budget", [1, 20_000, 125_000])
@pytest.mark.parametrize(
    ("low", "high"),
    [((3, 4, 5), (4, 5, 6)), ((0, 0, 0), (200, 90, 60)), ((10, 0, 3), (12, 140, 40))],
    ids=["one voxel", "large", "flat"],
)
def test_a_view_is_cubic_within_its_budget_and_holds_the_box(spacing, budget, low, high):
    one = fitted(low, high, spacing, margin=0.1, budget=budget)
    size_mm = one.step * spacing
    assert size_mm == pytest.approx([size_mm[0]] * 3)
    assert all(side % 8 == 0 and side >= 24 for side in one.shape)
    assert math.prod(one.shape) <= max(budget, 24**3)
    if budget > 24**3:
        assert (one.step * one.shape >= (np.array(high) - low) * 1.2 - 1e-9).all()
    np.testing.assert_allclose(one.centre, (np.array(low) + high - 1) / 2)


def test_a_view_leaves_the_volume_as_little_as_possible():
    # 8 of 10 voxels along i: its middle lies from 3.5 to 5.5. Along j it is as large as the
    # volume, along k larger: the middles meet.
    moved = view((0, 1, 20), (1, 1, 1), (8, 8, 8)).moved_into((10, 8, 5))
    assert moved.centre.tolist() == [3.5, 3.5, 2]
    assert view((4, 3.5, 2), (1, 1, 1), (8, 8, 8)).moved_into((10, 8, 5)).centre[0] == 4
