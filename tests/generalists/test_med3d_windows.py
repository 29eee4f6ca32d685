import numpy as np
import pytest

from samssl_cli.generalists.med3d_windows import (
    OUTSIDE_LOGIT,
    Mosaic,
    cut,
    place_windows,
    standardised,
)
from samssl_cli.volumes.normalize import zscore_nonzero


def _starts(low: float, high: float, size: int, overlap: float = 0.5) -> list[int]:
    """Along the first axis; one voxel of object along the others."""
    windows = place_windows(np.array([low, 0, 0]), np.array([high, 1, 1]), size, overlap=overlap)
    assert len({start[1:] for start in windows}) == 1
    return [start[0] for start in windows]


def test_an_object_that_fits_is_in_the_middle_of_one_window():
    # (10 + 20 - 32) / 2
    assert _starts(10, 20, 32) == [-1]
    assert _starts(0, 32, 32) == [0]


def test_a_larger_object_gets_windows_with_a_margin_that_overlap():
    # from 10 - 8 to 90 + 8 - 32 = 66, at most 16 apart
    assert _starts(10, 90, 32) == [2, 18, 34, 50, 66]
    # at most 32 apart
    assert _starts(10, 90, 32, overlap=0.0) == [2, 34, 66]


def test_every_axis_has_its_own_windows():
    windows = place_windows(np.zeros(3), np.array([40.0, 40.0, 8.0]), 32, overlap=0.0)

    # along i and j from -8 to 40 + 8 - 32 = 16: two; along k (8 - 32) / 2
    assert windows == [(-8, -8, -12), (-8, 16, -12), (16, -8, -12), (16, 16, -12)]


def test_a_window_beyond_the_volume_is_filled():
    volume = np.arange(8, dtype=np.float32).reshape(2, 2, 2)

    window = cut(volume, (-1, 0, 1), 2, fill=-9)

    # of plane 0, (j, k) = (0, 1) and (1, 1): the values 1 and 3
    assert window.tolist() == [[[-9, -9], [-9, -9]], [[1, -9], [3, -9]]]
    assert (cut(volume, (5, 0, 0), 2, fill=-9) == -9).all()
    assert (cut(volume, (-7, 0, 0), 2, fill=-9) == -9).all()


def test_tissue_has_mean_zero_and_deviation_one_and_air_lies_below():
    window = np.array([-1.0, -1.0, 0.0, 2.0], np.float32)

    found = standardised(window, air=-1.0, intensity_range=3.0)

    # tissue 0 and 2: mean 1, deviation sqrt(2)
    np.testing.assert_allclose(found * np.sqrt(2), [-2, -2, -1, 1], rtol=1e-6)


def test_standardised_images_give_what_raw_ones_would():
    rng = np.random.default_rng(0)
    raw = np.where(rng.random((1, 8, 8, 8)) < 0.3, 0, 100 + 40 * rng.random((1, 8, 8, 8)))
    ours = zscore_nonzero(raw.astype(np.float32))[0]
    window, raw_window = ours[:5, 2:7, :5], raw[0, :5, 2:7, :5]

    found = standardised(window, air=float(ours.min()), intensity_range=float(np.ptp(ours)))

    tissue = raw_window[raw_window > 0]
    np.testing.assert_allclose(found, (raw_window - tissue.mean()) / tissue.std(ddof=1), atol=1e-4)


@pytest.mark.parametrize(
    "values", [[0, 0, 0], [0, 0, 5], [5, 5, 5]], ids=["air", "one voxel", "one intensity"]
)
def test_a_window_without_contrast_is_zero(values):
    window = np.array(values, np.float32)

    assert not standardised(window, air=0.0, intensity_range=5.0).any()
    assert not standardised(window, air=0.0, intensity_range=0.0).any()


def test_windows_weigh_by_their_distance_from_the_border():
    mosaic = Mosaic((7, 4, 4), 4)

    mosaic.add(np.full((4, 4, 4), 1, np.float32), (0, 0, 0))
    mosaic.add(np.full((4, 4, 4), 3, np.float32), (2, 0, 0))

    # weights along i: 0.5, 1.5, 1.5, 0.5; at 2: (1.5 * 1 + 0.5 * 3) / 2; at 6: no window
    expected = [1, 1, 1.5, 2.5, 3, 3, OUTSIDE_LOGIT]
    np.testing.assert_allclose(mosaic.logits()[:, 1, 2], expected, rtol=1e-6)


def test_what_a_window_saw_beyond_the_volume_is_left_out():
    mosaic = Mosaic((2, 2, 2), 4)
    answer = np.arange(64, dtype=np.float32).reshape(4, 4, 4)

    mosaic.add(answer, (-1, -2, -3))

    expected = np.full((2, 2, 2), OUTSIDE_LOGIT)
    expected[:, :, :1] = answer[1:3, 2:4, 3:4]
    np.testing.assert_allclose(mosaic.logits(), expected, rtol=1e-6)
