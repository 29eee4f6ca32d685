import numpy as np
import pytest

from samssl_cli import recipe
from samssl_cli.prompts.box import bounding_box, box
from samssl_cli.prompts.types import Box


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        pytest.param(0, Box((4, 4, 4), (11, 11, 11)), id="tight"),
        pytest.param(2, Box((2, 2, 2), (13, 13, 13)), id="margin"),
        pytest.param(9, Box((0, 0, 0), (15, 15, 15)), id="clipped at the volume"),
    ],
)
def test_the_box_frames_the_cube(cube, rng, margin, expected):
    options = recipe.Prompt(box_margin_voxels=margin)
    assert box(cube, np.zeros_like(cube), options, rng).box == expected


def test_one_voxel_in_the_corner_of_an_anisotropic_volume():
    mask = np.zeros((9, 5, 2), bool)
    mask[8, 0, 1] = True
    assert bounding_box(mask, 1) == Box((7, 0, 0), (9, 2, 2))


def test_no_object_gives_no_box(options, rng):
    nothing = np.zeros((3, 3, 3), np.float32)
    assert box(nothing, nothing, options, rng).box is None
