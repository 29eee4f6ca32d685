import numpy as np
import pytest
import torch

from samssl_cli.generalists.scout_network import LIKENESS_CHANNEL
from samssl_cli.scenes.said import Said
from samssl_cli.scenes.scene import Scene
from samssl_cli.training import scout_batches as module
from samssl_cli.training.scout_batches import SHAPES, SceneBatches, draw_view

CPU = torch.device("cpu")


@pytest.fixture
def small_scenes(monkeypatch):
    """Scenes of 24 voxels in views of 24 x 16 x 8; gives the numbers of those that were drawn."""
    drawn, draw = [], module.draw_scene

    def small(seed, number):
        drawn.append(int(number))
        return draw(seed, int(number), size=24)

    monkeypatch.setattr(module, "draw_scene", small)
    monkeypatch.setattr(module, "SHAPES", ((24, 16, 8),))
    return drawn


def batches(*, seed=0, batch_size=3):
    return SceneBatches(batch_size=batch_size, seed=seed, device=CPU)


def test_a_batch_has_the_channels_of_scout_and_a_soft_target(small_scenes):
    batch = batches().batch(0)
    assert batch.inputs.shape[:2] == (3, 6)
    assert sorted(batch.inputs.shape[2:]) == [8, 16, 24]
    assert batch.target.shape == (3, 1, *batch.inputs.shape[2:])
    assert batch.inputs.dtype == batch.target.dtype == torch.float32
    assert bool(torch.isfinite(batch.inputs).all())
    assert 0 <= float(batch.target.min()) < 0.5 < float(batch.target.max()) <= 1


def test_a_step_is_the_same_at_every_call_and_in_any_order(small_scenes):
    streams = batches()
    forwards = [streams.batch(step) for step in range(18)]
    backwards = {step: streams.batch(step) for step in (17, 7, 0, 12)}
    for step, batch in backwards.items():
        assert torch.equal(batch.inputs, forwards[step].inputs)
        assert torch.equal(batch.target, forwards[step].target)
    other = batches(seed=1).batch(0)
    assert not torch.equal(other.inputs.flatten()[:99], forwards[0].inputs.flatten()[:99])


def test_each_step_draws_one_new_scene_once_the_first_are_there(small_scenes):
    streams = batches()
    for step in range(24):
        streams.batch(step)
    assert set(small_scenes) >= set(range(16, 40))  # the newest of each step
    assert max(small_scenes) == 39
    assert len(small_scenes) == len(set(small_scenes))
    assert len(streams._scenes) <= 16


def test_all_grids_hold_about_as_many_voxels_as_a_view():
    for shape in SHAPES:
        assert all(side % 8 == 0 for side in shape)
        assert 100_000 < np.prod(shape) <= 130_000


def said(depth, **changes):
    found = (depth > 0).nonzero().numpy()
    extent = found.min(axis=0) * 2.0, found.max(axis=0) * 2.0 + 2
    nothing = np.zeros((0, 3))
    whole = {
        "depth": depth,
        "mask": (depth > 0).float(),
        "box": None,
        "inside": nothing,
        "outside": nothing,
        "extent": extent,
    }
    return Said(**{**whole, **changes})


@pytest.mark.parametrize("seed", range(6))
def test_what_is_said_lies_on_what_is_meant(seed, monkeypatch):
    # A bar along j, mirrored and turned at random: mask, image, click and target move together.
    depth = torch.full((20, 20, 20), -2.0)
    depth[8:12, 3:17, 8:12] = 2.0
    bright = torch.nn.functional.interpolate(depth[None, None], scale_factor=2)[0, 0]
    click = np.array([[19.5, 30.0, 19.5]])  # towards one end, so that a mirror would be seen
    monkeypatch.setattr(module, "say", lambda *_: said(depth, inside=click))
    rng = np.random.default_rng(seed)
    inputs, target = draw_view(Scene(bright, (depth,)), (48, 32, 16), rng)
    assert inputs.shape == (6, 48, 32, 16)
    inside = target[0] > 0.9
    assert bool(inside.any())
    assert bool((inputs[1][inside] > 0).all())
    assert bool((inputs[1][target[0] < 0.1] < 0).all())
    contrast = inputs[0][inside].mean() - inputs[0][target[0] < 0.1].mean()
    assert abs(float(contrast)) > 1
    assert bool(inside[np.unravel_index(int(inputs[3].argmax()), (48, 32, 16))])


def test_the_longest_side_lies_along_the_longest(rng_without_turns):
    depth = torch.full((20, 20, 20), -2.0)
    depth[8:12, 3:17, 6:14] = 2.0  # sides 8, 28 and 16 of the image
    axes = module._axes_along(said(depth), (8, 24, 16), rng_without_turns)
    assert axes == (0, 1, 2)
    assert module._axes_along(said(depth), (24, 16, 8), rng_without_turns) == (1, 2, 0)
    assert module._turned((24, 16, 8), (1, 2, 0)) == (8, 24, 16)


@pytest.fixture
def rng_without_turns():
    """A generator whose `random` never falls below the share of views that are turned at will."""

    class Upright(np.random.Generator):
        def random(self, *_):
            return 0.9

    return Upright(np.random.PCG64(0))


def test_the_likeness_is_hidden_in_half_of_all_views(small_scenes):
    streams = batches(batch_size=8)
    inputs = [one for step in range(12) for one in streams.batch(step).inputs]
    hidden = [bool((one[LIKENESS_CHANNEL] == 0).all()) for one in inputs]
    assert 0.3 < np.mean(hidden) < 0.7
    assert all(float(one[0].std()) > 0 for one in inputs)  # the image is always there
