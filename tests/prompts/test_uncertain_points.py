import numpy as np

from samssl_cli import recipe
from samssl_cli.prompts.uncertain_points import uncertain_points


def click(probability, uncertainty, options, rng):
    return uncertain_points(probability, uncertainty.astype(np.float32), options, rng).points


def test_the_first_click_on_each_side_is_the_most_uncertain_confident_voxel(cube, rng):
    uncertainty = np.full(cube.shape, 0.1)
    uncertainty[5, 6, 9] = 0.7  # inside
    uncertainty[7, 7, 13] = 0.6  # in the shell, 3 voxels from the cube
    cube[8, 8, 8], uncertainty[8, 8, 8] = 0.51, 1.0  # a coin toss: not clicked
    clicked = click(cube, uncertainty, recipe.Prompt(num_positive=1, num_negative=1), rng)
    assert clicked.coordinates.tolist() == [[5, 6, 9], [7, 7, 13]]
    assert clicked.is_positive.tolist() == [True, False]


def test_the_clicks_are_spread_over_the_most_uncertain_tenth(cube, rng):
    uncertainty = np.full(cube.shape, 0.1)
    uncertainty[4:11, 4:11, 4] = 0.5  # one face: 49 of 343 voxels, more than a tenth
    clicked = click(cube, uncertainty, recipe.Prompt(num_positive=4, num_negative=0), rng)
    assert (clicked.coordinates[:, 2] == 4).all()
    corners = {(4, 4), (4, 10), (10, 4), (10, 10)}
    assert len(corners & {(i, j) for i, j, _ in clicked.coordinates.tolist()}) >= 2


def test_an_object_of_one_voxel_and_no_object(options, rng):
    probability = np.zeros((6, 5, 4), np.float32)
    assert len(click(probability, probability, options, rng)) == 0
    probability[0, 4, 2] = 0.9
    clicked = click(probability, probability, options, rng)
    assert clicked.coordinates[clicked.is_positive].tolist() == [[0, 4, 2]]


def test_no_clicks_asked_for_gives_none(cube, rng):
    options = recipe.Prompt(num_positive=0, num_negative=0)
    assert len(click(cube, np.zeros_like(cube), options, rng)) == 0
