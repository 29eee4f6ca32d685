import numpy as np
import pytest

from samssl_cli.generalists.sam_window import Window, grey, surroundings
from samssl_cli.prompts.types import Box, Points, Prompt


def test_of_tissue_air_does_not_count():
    volume = np.zeros((2, 10, 10), np.float32) - 3
    volume[1] = np.arange(100).reshape(10, 10)

    everything = Window("percentiles", (50, 100), None).ends(volume, ())
    tissue = Window("tissue", (50, 100), None).ends(volume, ())

    assert everything == (-1.5, 99)  # half of the voxels are air
    assert tissue == (49.5, 99)


def test_a_few_values_below_air_do_not_make_air_tissue():
    """Cubic resampling rings around the body: air is the lowest value that many voxels have."""
    volume = np.zeros((2, 100, 100), np.float32)
    volume[1] = 10 + np.arange(10_000).reshape(100, 100) / 100  # tissue from 10 to 109.99
    clean = Window("tissue", (0, 100), None).ends(volume, ())
    volume[0, :2] = np.linspace(-8, 4, 200).reshape(2, 100)  # 2 % of the air rings

    rung = Window("tissue", (0.5, 99.5), None).ends(volume, ())

    assert clean == pytest.approx((10, 109.99))
    assert rung == pytest.approx((10, 109.5), abs=1)
    assert Window("tissue", (50, 100), None).ends(volume, ())[0] == pytest.approx(60, abs=1)


def test_air_that_is_blurred_a_little_is_air():
    rng = np.random.default_rng(0)
    volume = rng.normal(0, 0.3, (2, 50, 50)).astype(np.float32)
    volume[1] = rng.uniform(20, 100, (50, 50))

    low, _ = Window("tissue", (0.5, 99.5), None).ends(volume, ())

    assert low == pytest.approx(20, abs=1)


def test_where_there_is_no_air_only_the_lowest_value_is_left_out():
    volume = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)

    ends = Window("tissue", (10, 90), None).ends(volume, ())

    assert ends == pytest.approx((-1.28, 1.28), abs=0.05)


def test_a_volume_of_air_alone_is_black():
    volume = np.full((2, 2, 2), 3, np.float32)

    assert not grey(volume, Window("tissue", (0, 100), None).ends(volume, ())).any()


def test_a_fixed_window_looks_at_nothing():
    volume = np.float32([-9, -2, 0.5, 3, 9]).reshape(1, 1, 5)

    shown = grey(volume, Window("fixed", (0, 100), (-2, 3)).ends(volume, ()))

    assert shown.ravel().tolist() == [0, 0, 128, 255, 255]


def test_around_the_object_half_its_size_is_looked_at():
    big = Prompt(box=Box((20, 10, 30), (60, 20, 32)))
    small = Prompt(box=Box((22, 9, 30), (58, 19, 33)))

    # together i 20-60, j 9-20, k 30-33; half of 40 is more than 8, which the others get
    assert surroundings([big, small], (70, 30, 100)) == (slice(0, 70), slice(1, 28), slice(22, 41))


def test_around_nothing_is_everywhere():
    assert surroundings([Prompt()], (4, 4, 4)) == (slice(None),) * 3


def test_the_window_around_an_object_does_not_see_the_rest():
    volume = np.zeros((60, 10, 10), np.float32)
    volume[:30] = 500
    volume[40:] = np.arange(20)[:, None, None]
    click = Prompt(Points(np.array([[50, 5, 5]]), np.array([True])))

    assert Window("around", (0, 100), None).ends(volume, [click]) == (2, 18)  # i 42-59
