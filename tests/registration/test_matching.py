import numpy as np
import pytest

from samssl_cli.registration.matching import local_correlation

SPACING_MM = (1.0, 1.0, 2.0)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(16, 16, 8)).astype(np.float32)


def test_scale_and_offset_do_not_matter(image):
    found = local_correlation(image, 100 - 3 * image, SPACING_MM, window_mm=3)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, -1, atol=1e-4)


def test_it_says_where_two_images_agree(image):
    other = np.random.default_rng(1).normal(size=image.shape).astype(np.float32)
    other[:8] = image[:8]

    found = local_correlation(image, other, SPACING_MM, window_mm=1)

    assert found[:4].mean() > 0.95
    assert abs(found[12:].mean()) < 0.3


def test_without_structure_there_is_no_correlation(image):
    for pair in ((image, np.ones_like(image)), (np.zeros_like(image), image)):
        np.testing.assert_array_equal(local_correlation(*pair, SPACING_MM, window_mm=3), 0)


def test_one_voxel_is_no_structure():
    one = np.ones((1, 1, 1), np.float32)
    np.testing.assert_array_equal(local_correlation(one, one, SPACING_MM, window_mm=3), 0)
