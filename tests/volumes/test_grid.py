import json

import numpy as np
import pytest

from samssl_cli.volumes.grid import NativeGrid

AFFINE = np.array([[-0.7, 0, 0, 1 / 3], [0, 0.8, 0.1, -20], [0, -0.1, 3, 7], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "grid",
    [
        NativeGrid.from_affine((4, 5, 6), AFFINE),
        NativeGrid((1, 2, 3), (-1.0, 0.1, 0.2, 0.3), 1, (0.1, 0.2, 0.3, 1.1, 2, 3), 0, None, 2),
        NativeGrid((1, 2, 3), (1.0, 1.0, 1.0, 1.0), 0, None, 0, None, 0, nifti_version=2),
    ],
    ids=["sform", "qform", "neither"],
)
def test_json_keeps_every_number(grid):
    again = NativeGrid.from_json(json.loads(json.dumps(grid.to_json())))
    assert again == grid
    np.testing.assert_array_equal(again.affine, grid.affine)


def test_from_affine_keeps_float32_and_measures_the_spacing():
    grid = NativeGrid.from_affine((4, 5, 6), AFFINE)
    np.testing.assert_array_equal(grid.affine, np.float32(AFFINE).astype(float))
    # column lengths: 0.7, sqrt(0.8^2 + 0.1^2) = 0.80623, sqrt(0.1^2 + 3^2) = 3.00167
    np.testing.assert_allclose(grid.spacing_mm, [0.7, 0.80623, 3.00167], rtol=1e-5)
    assert grid.quaternion is None


def test_without_form_codes_the_origin_is_the_centre_and_the_first_axis_runs_left():
    grid = NativeGrid((3, 3, 5), (1.0, 2.0, 1.0, 1.0), 0, None, 0, None, 2)
    # nibabel: diag(-2, 1, 1), and the middle voxel (1, 1, 2) at 0 mm
    np.testing.assert_allclose(grid.affine @ [1, 1, 2, 1], [0, 0, 0, 1])
    np.testing.assert_allclose(np.diag(grid.affine), [-2, 1, 1, 1])
