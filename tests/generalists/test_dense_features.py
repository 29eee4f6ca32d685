import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.generalists.dense_features import dense_features, on_image

WINDOW, PATCH = 16, 4


def encoder(volume):
    """Describe each cube by its mean, as an encoder that sees nothing else would."""
    padded = np.pad(volume, 3 * WINDOW, mode="edge")
    starts = []

    def encode(start):
        starts.append(start)
        i, j, k = (a + 3 * WINDOW for a in start)
        window = padded[i : i + WINDOW, j : j + WINDOW, k : k + WINDOW]
        g = WINDOW // PATCH
        return window.reshape(g, PATCH, g, PATCH, g, PATCH).mean(axis=(1, 3, 5))[None]

    return encode, starts


@pytest.mark.parametrize(
    ("shape", "num_shifts", "num_windows"),
    [
        ((12, 16, 8), 1, 1),
        ((12, 16, 8), 2, 8),
        # along the first axis 6 cubes of each shift and windows of 4: two windows
        ((24, 16, 3), 2, 16),
        ((2, 2, 1), 2, 1),
    ],
    ids=["one window", "two shifts", "longer than a window", "one cell"],
)
def test_every_cell_has_the_features_of_the_cube_around_it(shape, num_shifts, num_windows):
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    encode, starts = encoder(volume)

    grid = dense_features(
        encode, shape, window=WINDOW, patch=PATCH, num_shifts=num_shifts, overlap=0.5
    )

    cell = PATCH // num_shifts
    assert grid.cell_voxels == (cell, cell, cell)
    assert len(starts) == num_windows
    padded = np.pad(volume, WINDOW, mode="edge")
    means = ndimage.uniform_filter(padded.astype(float), PATCH, origin=-(PATCH // 2))  # begin here
    first = [WINDOW + np.arange(n) * cell - (PATCH - cell) // 2 for n in grid.values.shape[1:]]
    np.testing.assert_allclose(grid.values[0], means[np.ix_(*first)], atol=1e-5)


def test_cells_are_told_in_voxels_of_the_image():
    encode, _ = encoder(np.zeros((8, 8, 8), np.float32))
    grid = dense_features(encode, (8, 8, 8), window=16, patch=4, num_shifts=2, overlap=0.5)

    assert on_image(grid, (8, 8, 8), (16, 8, 4)).cell_voxels == (4, 2, 1)
