import numpy as np

from samssl_cli.generalists.sam_window import Window, grey, surroundings
from samssl_cli.prompts.types import Box, Points, Prompt


def test_of_tissue_air_does_not_count():
    volume = np.zeros((2, 10, 10), np.float32) - 3
    volume[1] = np.arange(100).reshape(10, 10)

    everything = Window("percentiles", (50, 100), None).ends(volume, ())
    tissue = Window("tissue", (50, 100), None).ends(volume, ())

    assert everything == (-1.5, 99)  # half of the voxels are air
    assert tissue == (49.5, 99)


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
