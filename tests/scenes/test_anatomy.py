import numpy as np
import pytest
import torch

from samssl_cli.scenes.anatomy import NOWHERE, Structure, draw_structures, visible_depth


def structure(*depth: float, host: int | None = None, beyond: float = NOWHERE) -> Structure:
    """A structure on a grid of a few voxels in a row."""
    values = torch.tensor(depth, dtype=torch.float32).view(-1, 1, 1)
    return Structure(values, torch.full_like(values, beyond), 0.0, host)


def seen(structures, index):
    return visible_depth(structures, index).flatten().tolist()


def test_where_two_overlap_the_later_one_is_there():
    first, later = structure(2, 2, 2, -1), structure(-3, -1, 1, 1)
    assert seen([first, later], 0) == [2, 1, -1, -1]
    assert seen([first, later], 1) == [-3, -1, 1, 1]


def test_what_goes_on_behind_a_cut_takes_its_place_too():
    first, later = structure(2, 2), structure(-3, -3, beyond=1.5)
    assert seen([first, later], 0) == [-1.5, -1.5]


def test_what_lies_inside_a_host_belongs_to_it():
    first, inner = structure(2, 2, 2), structure(-1, 1, -1, host=0)
    assert seen([first, inner], 0) == [2, 2, 2]
    innermost = structure(-1, 1, -1, host=1)
    assert seen([first, inner, innermost], 0) == [2, 2, 2]
    assert seen([first, inner, innermost], 1) == [-1, 1, -1]


@pytest.mark.parametrize("seed", range(4))
def test_drawn_structures_are_somewhere_and_do_not_lie_behind_their_own_cuts(seed):
    structures = draw_structures((20, 24, 16), np.random.default_rng(seed))
    assert 3 <= len(structures) <= 8
    assert structures[0].host is None
    for number, one in enumerate(structures):
        assert one.depth.shape == one.beyond.shape == (20, 24, 16)
        assert bool(torch.isfinite(one.depth).all())
        assert not bool(((one.depth > 0) & (one.beyond > 0)).any())
        assert one.host is None or 0 <= one.host < number
    assert bool((structures[0].depth > 0).any())  # the first lies near the middle


def test_the_depth_falls_by_about_one_per_voxel_at_the_surface():
    depth = draw_structures((32, 32, 32), np.random.default_rng(0))[0].depth
    slope = torch.stack(torch.gradient(depth)).norm(dim=0)
    at_surface = slope[depth.abs() < 1]
    assert 0.5 < float(at_surface.median()) < 2
