import numpy as np
import pytest
import torch

from samssl_cli.scenes import appearance
from samssl_cli.scenes.anatomy import NOWHERE, Structure, draw_structures, visible_depth
from samssl_cli.scenes.appearance import draw_image


@pytest.fixture
def numbered(monkeypatch):
    """Give every structure a tissue of its own: 100 n inside number n, and + 50 its wall."""

    def paint(structures, shape, *, seed=0):
        numbers = iter(100.0 * np.arange(len(structures)))
        monkeypatch.setattr(appearance, "_tissue", lambda *_: next(numbers) + np.zeros(2))
        monkeypatch.setattr(appearance, "_told_apart", lambda inside, *_: inside)
        monkeypatch.setattr(appearance, "_contrasting", lambda inside, _: inside + 50)
        rng, painted = np.random.default_rng(seed), torch.full(shape, -1.0)
        for one in structures:
            painted = appearance._painted(painted, one, shape, np.zeros(1), rng)
        return painted

    return paint


def belongs_to(structures, number, index):
    """Whether a structure is another one, or lies in it."""
    host = structures[number].host
    return number == index or (host is not None and belongs_to(structures, host, index))


@pytest.mark.parametrize("seed", range(6))
def test_the_object_that_is_meant_is_the_one_that_is_seen(seed, numbered):
    shape = (32, 32, 32)
    structures = draw_structures(shape, np.random.default_rng(seed))
    painted = numbered(structures, shape, seed=seed)
    for index in range(len(structures)):
        meant = visible_depth(structures, index) > 3  # walls of later ones are 2.2 voxels at most
        tissues = ((painted[meant] + 0.5) // 100).long().unique().tolist()
        assert all(belongs_to(structures, number, index) for number in tissues)


def test_inside_wall_and_behind_a_cut(numbered):
    # A ramp of depths 2.5 … -3.5 with a wall of 2 voxels: inside above 0, wall down to -2.
    depth = torch.tensor([2.5, 1.5, 0.5, -0.5, -1.5, -2.5, -3.5]).view(-1, 1, 1).expand(7, 7, 7)
    beyond = torch.full((7, 7, 7), NOWHERE)
    beyond[5] = 1.0
    painted = numbered([Structure(depth, beyond, 0.0, None)], (7, 7, 7))
    assert painted[:, 3, 3].round().tolist() == [0, 0, 0, -1, -1, 0, -1]
    walled = [Structure(depth, torch.full((7, 7, 7), NOWHERE), 2.0, None)]
    drawn = [numbered(walled, (7, 7, 7), seed=seed)[:, 3, 3].tolist() for seed in range(24)]
    assert [0, 0, 0, 50, 50, -1, -1] in drawn  # some walls have gaps


@pytest.mark.parametrize("seed", range(3))
def test_an_image_is_standardised_and_finite(seed):
    rng = np.random.default_rng(seed)
    structures = draw_structures((12, 16, 10), rng)
    image = draw_image(structures, (24, 32, 20), rng)
    assert image.shape == (24, 32, 20)
    assert image.dtype == torch.float32
    assert bool(torch.isfinite(image).all())
    assert float(image.mean()) == pytest.approx(0, abs=1e-4)
    assert float(image.std()) == pytest.approx(1, abs=1e-4)


def test_blurring_keeps_a_constant_and_spreads_a_point():
    assert torch.allclose(appearance._blurred(torch.full((5, 4, 3), 2.0), 0.8), torch.tensor(2.0))
    point = torch.zeros(9, 9, 9)
    point[4, 4, 4] = 1
    spread = appearance._blurred(point, 1.0)
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    for axis in range(3):
        assert torch.allclose(spread, spread.flip(axis), atol=1e-7)
        assert torch.allclose(spread, spread.transpose(axis, (axis + 1) % 3), atol=1e-7)


def test_thick_slices_vary_along_the_other_axes_alone():
    image = torch.zeros(8, 8, 8)
    image[:, :, ::2] = 1  # neither average of two slices knows which was bright
    thick = appearance._with_thick_slices(image, 2, 2.0)
    assert torch.allclose(thick, torch.full((8, 8, 8), 0.5))
    assert torch.equal(appearance._with_thick_slices(image, 0, 2.0), image)


def test_a_level_is_chosen_that_shows():
    near = torch.full((50,), 0.5)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert abs(appearance._told_apart(0.5, near, np.array([0.5, 0.9]), rng) - 0.5) >= 0.15
    assert appearance._told_apart(0.9, near, np.zeros(1), rng) == 0.9
    assert appearance._told_apart(0.9, near[:0], np.zeros(1), rng) == 0.9


def test_a_wall_contrasts_with_what_it_encloses():
    rng = np.random.default_rng(0)
    levels = [appearance._contrasting(0.4, rng) for _ in range(100)]
    assert all(0.2 <= abs(level - 0.4) <= 0.7 for level in levels)
    assert 50 < sum(level < 0.4 for level in levels) < 90


def test_levelling_leaves_the_borders_and_takes_what_a_histogram_tells():
    image = torch.zeros(48, 48, 48)
    image[12:36, 12:36, 12:36] = 1.0
    levelled = appearance._levelled(image, 1.0, np.random.default_rng(0))
    middle, corner = levelled[20:28, 20:28, 20:28], levelled[:6, :6, :6]
    assert float((middle.mean() - corner.mean()).abs()) < 0.1
    step = (levelled[12, 24, 24] - levelled[11, 24, 24]).abs()
    assert float(step) > 0.5
    assert torch.equal(appearance._levelled(image, 0.0, np.random.default_rng(0)), image)
