import numpy as np
import pytest

from samssl_cli.gate.features import softness
from samssl_cli.gate.simulate import simulate, softened
from samssl_cli.generalists.combine import dice
from samssl_cli.prompts.components import FoundObject

SHAPE = (22, 20, 18)


def ball(centre=(10, 10, 9), radius=5, shape=SHAPE):
    away = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return (away**2).sum(axis=0) <= radius**2


def drawn(severity, *, seed=0, softnesses=(), masks=None, **more):
    masks = masks or [ball()]
    objects = [FoundObject(n, 1, mask, int(mask.sum())) for n, mask in enumerate(masks, start=1)]
    image = sum(mask.astype(np.float32) for mask in masks)[None]
    return simulate(
        image,
        objects,
        (1.0, 1.0, 1.0),
        num_classes=len(masks) + 1,
        severity=severity,
        softnesses=softnesses,
        rng=np.random.default_rng(seed),
        **more,
    )


def test_without_severity_it_is_the_truth():
    assert dice(drawn(0)[1] > 0.5, ball()) > 0.98


def test_mistakes_grow_with_the_severity_and_still_say_what_is_meant():
    found = {
        severity: [dice(drawn(severity, seed=seed)[1] > 0.5, ball()) for seed in range(12)]
        for severity in (0.2, 1.4)
    }
    assert np.mean(found[0.2]) > np.mean(found[1.4]) + 0.05
    assert min(found[1.4]) > 0.3


def test_it_is_a_distribution_over_the_classes():
    masks = [ball((7, 10, 9), 4), ball((15, 10, 9), 4)]
    probability = drawn(1.0, masks=masks)
    assert probability.shape == (3, *SHAPE)
    assert probability.dtype == np.float32
    assert probability.min() >= 0
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-6)


def test_the_seed_decides():
    np.testing.assert_array_equal(drawn(1.0, seed=3), drawn(1.0, seed=3))
    assert (drawn(1.0, seed=3) != drawn(1.0, seed=4)).any()


def test_a_case_without_objects_is_background():
    image = np.zeros((1, 4, 4, 4), np.float32)
    rng = np.random.default_rng(0)
    found = simulate(image, [], (1, 1, 1), num_classes=2, severity=1.0, softnesses=[0.5], rng=rng)
    assert (found[0] == 1).all()


@pytest.mark.parametrize("wanted", [0.2, 0.6])
def test_outlines_are_as_soft_as_is_wanted_and_stay_where_they_are(wanted):
    before = drawn(1.0)[1]
    after = softened(before, (1.0, 1.0, 1.0), wanted)
    np.testing.assert_array_equal(before > 0.5, after > 0.5)
    assert softness(after, after > 0.5, (1.0, 1.0, 1.0)) == pytest.approx(wanted, abs=0.01)


def test_nothing_cannot_be_softened():
    nothing = np.zeros((3, 3, 3), np.float32)
    assert softened(nothing, (1, 1, 1), 0.5) is nothing


def test_a_large_object_is_drawn_on_a_coarser_grid():
    mask = ball((35, 8, 8), 30, (70, 16, 16))
    found = drawn(0.0, masks=[mask])
    assert found.shape[1:] == mask.shape
    assert dice(found[1] > 0.5, mask) > 0.9
