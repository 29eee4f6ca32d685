import numpy as np

from samssl_cli import recipe
from samssl_cli.prompts.points import points


def click(probability, options, rng):
    return points(probability, np.zeros_like(probability), options, rng).points


def test_the_first_click_is_the_centre_of_the_cube(cube, options, rng):
    clicked = click(cube, options, rng)
    assert clicked.coordinates[0].tolist() == [7, 7, 7]  # depth 4, nowhere else
    assert clicked.is_positive.tolist() == [True] * 3 + [False] * 2
    assert clicked.coordinates.dtype == np.int64


def test_the_other_positive_clicks_are_half_as_deep_and_spread(cube, options, rng):
    # At least 2 deep: the inner 5x5x5 cube, 5 ... 9. The farthest from (7, 7, 7) are its corners.
    second, third = click(cube, options, rng).coordinates[1:3]
    assert set(second.tolist()) <= {5, 9}
    # Then the three corners next to the opposite one are as far from the centre as from the second.
    assert set(third.tolist()) <= {5, 9}
    assert third.tolist() != second.tolist()


def test_negative_clicks_lie_beside_the_cube_and_apart(cube, options, rng):
    negative = click(cube, options, rng).coordinates[3:]
    gaps = np.maximum(np.maximum(4 - negative, negative - 10), 0)  # voxels past each face
    distances = np.linalg.norm(gaps, axis=1)
    assert ((distances >= 2) & (distances <= 6)).all()
    assert np.linalg.norm(negative[0] - negative[1]) > 7


def test_an_object_of_one_voxel_is_clicked_once(options, rng):
    probability = np.zeros((7, 5, 3), np.float32)
    probability[3, 2, 1] = 0.6  # not confident: falls back to 0.5
    clicked = click(probability, options, rng)
    assert clicked.coordinates[clicked.is_positive].tolist() == [[3, 2, 1]]
    assert clicked.is_positive.sum() == 1
    assert (~clicked.is_positive).sum() == 2


def test_an_object_at_the_border_is_clicked_away_from_the_border(options, rng):
    probability = np.zeros((5, 9, 9), np.float32)
    probability[:, 2:7, 2:7] = 1  # touches the low and the high end of i
    assert click(probability, options, rng).coordinates[0].tolist() == [2, 4, 4]


def test_a_volume_full_of_object_has_no_negative_click(options, rng):
    clicked = click(np.ones((5, 5, 5), np.float32), options, rng)
    assert clicked.is_positive.tolist() == [True] * 3


def test_no_object_gives_no_click(options, rng):
    assert len(click(np.zeros((5, 5, 5), np.float32), options, rng)) == 0


def test_numbers_of_clicks_are_those_of_the_recipe(cube, rng):
    clicked = click(cube, recipe.Prompt(num_positive=0, num_negative=5), rng)
    assert clicked.is_positive.tolist() == [False] * 5
