import numpy as np
import pytest
import torch

from samssl_cli.scenes.mistakes import draw_mistaken


def dice(a, b):
    return 2 * int((a & b).sum()) / int(a.sum() + b.sum())


def overlaps(depth, image, severity, seeds=range(12)):
    truth = depth > 0
    return [
        dice(draw_mistaken(depth, image, severity, np.random.default_rng(seed)) > 0.5, truth)
        for seed in seeds
    ]


@pytest.fixture
def image(ball):
    noise = torch.randn(ball.shape, generator=torch.Generator().manual_seed(0))
    return (ball > 0).float() + 0.3 * noise


def test_without_severity_it_is_the_truth(ball, image):
    assert overlaps(ball, image, 0.0) == [1.0] * 12


def test_the_mistakes_grow_with_their_severity(ball, image):
    means = [float(np.mean(overlaps(ball, image, severity))) for severity in (0.2, 0.6, 1.2, 2.0)]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.85
    assert means[-1] < 0.8


def test_about_as_much_is_added_as_is_missing_or_more(ball, image):
    truth = ball > 0
    drawn = [
        draw_mistaken(ball, image, 1.0, np.random.default_rng(seed)) > 0.5 for seed in range(60)
    ]
    added = sum(int((one & ~truth).sum()) for one in drawn)
    missing = sum(int((truth & ~one).sum()) for one in drawn)
    assert 0.8 * missing < added < 4 * missing


@pytest.mark.parametrize("severity", [0.0, 1.0, 2.0])
def test_it_is_a_probability_that_follows_from_its_generator(ball, image, severity):
    drawn = draw_mistaken(ball, image, severity, np.random.default_rng(1))
    assert drawn.shape == ball.shape
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1
    assert torch.equal(drawn, draw_mistaken(ball, image, severity, np.random.default_rng(1)))


def test_an_object_of_one_voxel():
    depth = torch.full((8, 8, 8), -1.0)
    depth[4, 4, 4] = 0.5
    assert overlaps(depth, torch.zeros(8, 8, 8), 0.0) == [1.0] * 12
    assert bool(torch.isfinite(draw_mistaken(depth, depth, 1.0, np.random.default_rng(0))).all())
