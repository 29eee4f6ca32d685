import numpy as np
from scipy import ndimage

from samssl_cli.volumes.blur import blurred


def spiked() -> np.ndarray:
    foreground = np.zeros((11, 11, 11), np.float32)
    foreground[3:8, 3:8, 3:8] = 1
    foreground[5, 5, 8:] = 1  # a spur, one voxel thin
    return np.stack([1 - foreground, foreground])


def test_each_class_is_blurred_by_itself_and_sums_stay():
    probability = blurred(spiked(), 1.5)
    assert probability.dtype == np.float32
    np.testing.assert_array_equal(probability[1], ndimage.gaussian_filter(spiked()[1], 1.5))
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-6)


def test_a_spur_goes_and_the_object_stays():
    mask = blurred(spiked(), 1.0)[1] > 0.5
    assert mask[5, 5, 5]
    assert not mask[5, 5, 9:].any()


def test_a_sigma_of_zero_changes_nothing():
    probability = spiked()
    assert blurred(probability, 0.0) is probability
