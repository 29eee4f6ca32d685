import numpy as np
import torch

from samssl_cli.scenes.said import Said
from samssl_cli.training.told import as_prompt

NOTHING = np.zeros((0, 3))


def said(**parts):
    depth = torch.zeros(4, 4, 4)
    extent = np.zeros(3), np.full(3, 8.0)
    given = {"mask": None, "box": None, "inside": NOTHING, "outside": NOTHING, **parts}
    return Said(depth=depth, extent=extent, **given)


def test_everything_is_moved_to_where_the_scene_was_cut():
    mask = torch.zeros(4, 4, 4)
    mask[1, 2, 3] = 0.9
    inside, outside = np.array([[2.5, 4.4, 6.6]]), np.array([[0.0, 0.0, 0.0]])
    box = np.array([1.7, 2.0, 3.0]), np.array([5.2, 6.0, 7.0])

    prompt = as_prompt(
        said(mask=mask, box=box, inside=inside, outside=outside), (10, 0, 1), (20, 20, 20)
    )

    assert prompt.points.coordinates.tolist() == [[12, 4, 8], [10, 0, 1]]
    assert prompt.points.is_positive.tolist() == [True, False]
    assert (prompt.box.low, prompt.box.high) == ((11, 2, 4), (16, 6, 8))
    # Coarse voxel (1, 2, 3) is fine 2-3, 4-5, 6-7.
    assert np.argwhere(prompt.mask).min(axis=0).tolist() == [12, 4, 7]
    assert np.argwhere(prompt.mask).max(axis=0).tolist() == [13, 5, 8]


def test_nothing_leaves_the_volume():
    inside = np.array([[9.0, -3.0, 4.0]])
    box = np.array([-4.0, 2.0, 9.0]), np.array([3.0, 30.0, 9.5])

    prompt = as_prompt(said(mask=torch.ones(4, 4, 4), box=box, inside=inside), (0, 0, 0), (7, 7, 7))

    assert prompt.points.coordinates.tolist() == [[6, 0, 4]]
    assert (prompt.box.low, prompt.box.high) == ((0, 2, 6), (3, 7, 7))
    assert prompt.mask.shape == (7, 7, 7)


def test_what_was_not_said_is_absent():
    prompt = as_prompt(said(), (0, 0, 0), (8, 8, 8))

    assert prompt.mask is None
    assert prompt.box is None
    assert len(prompt.points) == 0
