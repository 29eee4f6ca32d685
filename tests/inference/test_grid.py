import numpy as np
import pytest

from samssl_cli.inference.grid import from_grid, to_grid


def test_halving_blurs_first_and_rounds_as_preprocess_does():
    checkers = np.tile(np.array([0, 0, 4, 4], np.float16), 8).reshape(1, 32, 1, 1)
    seen = to_grid(checkers, (16, 1, 1))
    assert seen.dtype == np.float16
    # Voxels of a cosine of period 4 and amplitude 2 sqrt(2) around 2, whose peaks are the output
    # centres. sigma = sqrt(2 ** 2 - 1) / 2.355 = 0.736 leaves exp(-(2 pi / 4 * 0.736) ** 2 / 2) =
    # 0.51 of it: 2 - 1.45 and 2 + 1.45
    np.testing.assert_allclose(seen.ravel()[4:8], [0.55, 3.45, 0.55, 3.45], atol=0.05)


def test_an_axis_that_keeps_its_voxels_stays_sharp():
    stripes = np.zeros((1, 8, 8, 8), np.float16)
    stripes[..., ::2] = 1
    seen = to_grid(stripes, (4, 8, 8))
    np.testing.assert_allclose(seen, stripes[:, ::2], atol=2e-3)


def test_probabilities_come_back_linearly_and_sum_to_one():
    foreground = np.array([0, 1], np.float32).reshape(2, 1, 1)
    here = from_grid(np.stack([1 - foreground, foreground]), (4, 1, 1))
    # output centres at -0.25, 0.25, 0.75, 1.25 of the coarse grid
    np.testing.assert_allclose(here[1].ravel(), [0, 0.25, 0.75, 1])
    assert here.dtype == np.float32


@pytest.mark.parametrize("shape", [(9, 4, 5), (3, 8, 11), (1, 1, 1)], ids=str)
def test_three_classes_sum_to_one_on_any_grid(shape):
    logits = np.random.default_rng(0).normal(size=(3, 6, 5, 4)).astype(np.float32)
    probability = np.exp(logits) / np.exp(logits).sum(axis=0)
    here = from_grid(probability, shape)
    assert here.shape == (3, *shape)
    assert here.min() >= 0
    np.testing.assert_allclose(here.sum(axis=0), 1, atol=1e-6)


def test_the_same_grid_changes_no_bit():
    image = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    assert to_grid(image, (3, 4, 5)) is image
    assert to_grid(image, None) is image
    assert from_grid(image, (3, 4, 5)) is image
