import numpy as np
import pytest

from samssl_cli.errors import DataError
from samssl_cli.volumes.normalize import CtWindow, apply_ct_window, ct_window, zscore_nonzero


def channel(*values):
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


def test_zscore_counts_only_non_zero_voxels():
    # non-zero: 2 and 6, mean 4, std 2; zero maps to (0 - 4) / 2
    assert zscore_nonzero(channel(0, 2, 6, 0)).ravel().tolist() == [-2, -1, 1, -2]


def test_channels_are_scaled_apart():
    image = np.concatenate([channel(2, 6), channel(20, 60)])
    assert zscore_nonzero(image).ravel().tolist() == [-1, 1, -1, 1]


@pytest.mark.parametrize(
    "image",
    [channel(0, 0, 0), channel(0, 7, 7), channel(5), channel(0, 1e4, 1e4 + 1e-3)],
    ids=["zero", "constant", "one voxel", "constant but for rounding"],
)
def test_what_has_no_contrast_becomes_zero(image):
    np.testing.assert_array_equal(zscore_nonzero(image), np.zeros_like(image))


def test_an_outlier_stays_in_the_range_of_float16():
    image = np.ones((1, 100, 100, 10), np.float32)
    image[0, 0, 0, 0] = 3e38
    scored = zscore_nonzero(image)
    assert np.isfinite(scored.astype(np.float16)).all()


def test_ct_window_by_hand():
    # 0..1000: the 0.5 and 99.5 percentiles are 5 and 995; mean 500; std sqrt((1001^2 - 1) / 12)
    window = ct_window(np.arange(1001, dtype=np.int16))
    assert (window.low, window.high, window.mean) == (5, 995, 500)
    assert window.std == pytest.approx(np.sqrt((1001**2 - 1) / 12))


def test_apply_ct_window_clips_then_scales():
    image = channel(-2000, 0, 100, 3000)
    # clipped to -100, 0, 100, 300; minus 100, over 50
    scaled = apply_ct_window(image, CtWindow(low=-100, high=300, mean=100, std=50))
    assert scaled.ravel().tolist() == [-4, -2, 0, 4]
    assert scaled.dtype == np.float32


def test_a_window_without_width_gives_zero():
    window = ct_window(np.full(10, 40))
    np.testing.assert_array_equal(apply_ct_window(channel(-5, 40, 90), window), channel(0, 0, 0))


def test_a_window_needs_foreground():
    with pytest.raises(DataError, match="intensity=zscore"):
        ct_window(np.zeros(0))
