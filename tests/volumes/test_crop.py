import numpy as np
import pytest

from samssl_cli.volumes.crop import nonzero_box


def image(*voxels, shape=(2, 4, 5, 6)):
    array = np.zeros(shape, np.float32)
    for voxel in voxels:
        array[voxel] = -1.5
    return array


@pytest.mark.parametrize(
    ("array", "box"),
    [
        (image(), ((0, 0, 0), (4, 5, 6))),
        (image((0, 1, 2, 3)), ((1, 2, 3), (2, 3, 4))),
        (image((0, 1, 2, 3), (1, 3, 0, 5)), ((1, 0, 3), (4, 3, 6))),
    ],
    ids=["all zero", "one voxel", "over both channels"],
)
def test_nonzero_box(array, box):
    assert nonzero_box(array) == box
