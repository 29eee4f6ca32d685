import numpy as np
import pytest
import torch

from samssl_cli.scenes import said as module
from samssl_cli.scenes.said import say
from samssl_cli.scenes.scene import COARSER, Scene


@pytest.fixture
def scene(ball):
    """A ball of radius 7 on the coarse grid: voxels 5 to 18 there, 10 to 37 of the image."""
    image = (ball > 0).float()[None, None]
    return Scene(torch.nn.functional.interpolate(image, scale_factor=2)[0, 0], (ball,))


def told(scene, kind, monkeypatch, *, seed=0):
    monkeypatch.setattr(module, "_KINDS", (kind,))
    monkeypatch.setattr(module, "_SHARES", (1.0,))
    return say(scene, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("kind", "has_mask", "has_box", "has_clicks"),
    [
        ("mask", True, False, False),
        ("mask, clicks", True, False, True),
        ("mask, box, clicks", True, True, True),
        ("box", False, True, False),
        ("box, clicks", False, True, True),
        ("clicks", False, False, True),
    ],
)
def test_each_kind_says_what_it_is_called(kind, has_mask, has_box, has_clicks, scene, monkeypatch):
    for seed in range(3):
        one = told(scene, kind, monkeypatch, seed=seed)
        assert (one.mask is not None) is has_mask
        assert (one.box is not None) is has_box
        assert (len(one.inside) > 0) is has_clicks
        assert has_clicks or not len(one.outside)
        low, high = one.extent
        assert (low < high).all()


def test_the_truth_is_that_of_the_scene(scene, rng):
    assert say(scene, rng).depth is scene.depths[0]


@pytest.mark.parametrize("seed", range(8))
def test_a_mask_still_says_what_is_meant(seed, scene, monkeypatch):
    one = told(scene, "mask", monkeypatch, seed=seed)
    truth, mask = one.depth > 0, one.mask > 0.5
    assert 2 * int((truth & mask).sum()) > 0.35 * int(truth.sum() + mask.sum())
    low, high = one.extent
    i, j, k = (slice(int(a) // COARSER, int(b) // COARSER) for a, b in zip(low, high, strict=True))
    assert int(mask[i, j, k].sum()) == int(mask.sum())


def test_clicks_lie_on_the_middle_of_coarse_voxels_of_their_side(ball):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        inside, outside = module._clicks(ball, (ball > 0).float(), rng)
        assert 1 <= len(inside) <= 4
        for clicks, is_inside in ((inside, True), (outside, False)):
            coarse = (clicks - 0.5) / 2  # voxel c covers 2 c and 2 c + 1
            assert (coarse == coarse.round()).all()
            i, j, k = torch.from_numpy(coarse.astype(np.int64)).T
            assert bool(((ball[i, j, k] > 0) == is_inside).all())


def test_a_box_lies_around_the_object(ball, rng):
    (low, high), (near_low, near_high) = (
        module._extent((ball > 0).float()),
        module._jittered(module._extent((ball > 0).float()), rng),
    )
    assert low.tolist() == [10, 10, 10]
    assert high.tolist() == [38, 38, 38]
    assert np.abs(near_low - low).max() < 4 * 0.08 * 28
    assert (near_high - near_low >= 2).all()


def test_islands_are_taken_away():
    mistaken = torch.zeros(6, 3, 3)
    mistaken[0], mistaken[4:] = 0.9, 0.8
    kept = module._without_islands(mistaken)
    assert kept[:, 0, 0].tolist() == pytest.approx([0, 0, 0, 0, 0.8, 0.8])


def test_what_is_said_follows_from_the_generator(scene):
    one, again = (say(scene, np.random.default_rng(4)) for _ in range(2))
    assert (one.mask is None) == (again.mask is None)
    assert one.mask is None or torch.equal(one.mask, again.mask)
    for name in ("box", "inside", "outside", "extent"):
        np.testing.assert_equal(getattr(one, name), getattr(again, name))
