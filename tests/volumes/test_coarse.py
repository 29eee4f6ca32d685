import numpy as np

from samssl_cli.volumes.coarse import CoarseGrid


def test_values_are_interpolated_between_the_middles_of_cells():
    grid = CoarseGrid(np.array([0, 4], np.float32).reshape(1, 2, 1, 1), (4.0, 1.0, 1.0))

    found = grid.on_voxels((8, 1, 2))

    # the middles of the cells lie at 2 and 6, those of the voxels at 0.5, 1.5, ...
    np.testing.assert_allclose(found[0, :, 0, 1], [0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4])


def test_shares_count_the_voxels_of_a_cell():
    mask = np.zeros((1, 5, 2, 1), bool)
    mask[0, 1:, 0] = True
    grid = CoarseGrid(np.zeros((3, 3, 1, 1), np.float32), (2.0, 2.0, 1.0))

    # of 4 voxels 1 is inside, of the next 4 two, of the last 2, as the volume ends, one
    np.testing.assert_allclose(grid.shares(mask)[0].ravel(), [0.25, 0.5, 0.5])


def test_cells_of_less_than_a_voxel_may_be_empty():
    grid = CoarseGrid(np.zeros((1, 4, 1, 1), np.float32), (0.5, 1.0, 1.0))

    found = grid.shares(np.ones((1, 2, 1, 1), bool))

    np.testing.assert_array_equal(found.ravel(), [0, 1, 0, 1])


def test_other_values_lie_on_the_same_cells():
    grid = CoarseGrid(np.zeros((2, 1, 1, 1), np.float32), (3.0, 3.0, 3.0))

    found = grid.with_values(np.ones((1, 1, 1, 1), np.float32))

    np.testing.assert_array_equal(found.on_voxels((2, 3, 4)), np.ones((1, 2, 3, 4)))
