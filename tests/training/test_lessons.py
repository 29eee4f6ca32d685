import numpy as np
import pytest
import torch

from samssl_cli.recipe import Adapt, Augmentation
from samssl_cli.training import lessons
from samssl_cli.training.labeled_objects import LabeledObject
from samssl_cli.training.lessons import make_lessons
from samssl_cli.training.warped_objects import warp_around, warp_whole

PLAIN = Augmentation(affine_probability=0, intensity_probability=0)


@pytest.fixture
def ball():
    """A bright ball of radius 6 in 32 x 28 x 12 voxels, whose voxels are twice as high."""
    i, j, k = np.meshgrid(np.arange(32), np.arange(28), np.arange(12), indexing="ij")
    mask = (i - 15) ** 2 + (j - 13) ** 2 + (2 * (k - 6)) ** 2 < 36
    image = (mask + 0.1 * np.random.default_rng(0).normal(size=mask.shape))[None]
    return LabeledObject("a", 1, 1, image.astype(np.float32), (1.0, 1.0, 2.0), mask)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(lessons, "SHAPES", ((24, 24, 16),))
    monkeypatch.setattr(lessons, "_SCENE_SIZE", (32, 32, 32))


def the_lessons(learns_from, *objects, replay=0.0, seed=0):
    return make_lessons(
        learns_from,
        objects,
        options=Adapt(batch_size=2, replay=replay),
        augmentation=Augmentation(),
        seed=seed,
        device=torch.device("cpu"),
    )


def test_views_show_the_object_and_its_truth(ball, small):
    (views,) = the_lessons("views", ball).batch(0)

    assert views.inputs.shape[:2] == (2, 6)
    assert sorted(views.inputs.shape[2:]) == [16, 24, 24]
    assert views.target.shape == (2, 1, *views.inputs.shape[2:])
    inside, outside = views.target > 0.9, (views.target < 0.1) & (views.weight > 0.9)
    image = views.inputs[:, :1]
    assert image[inside].mean() > image[outside].mean() + 0.5  # never inverted


def test_a_share_of_the_views_is_about_procedural_scenes(ball, small):
    labeled, replayed = the_lessons("views", ball, replay=0.5).batch(3)

    assert (len(labeled.inputs), len(replayed.inputs)) == (1, 1)
    assert replayed.weight is None


def test_views_of_a_half_count_there_alone(ball, small):
    half = np.zeros_like(ball.mask)
    half[15:] = True

    (views,) = the_lessons("views", ball.within(half)).batch(0)

    assert 0.1 < float(views.weight[views.target > 0.9].mean()) < 0.9


@pytest.mark.parametrize("learns_from", ["views", "volumes"])
def test_a_step_is_the_same_at_every_call(ball, small, learns_from):
    first, second = (the_lessons(learns_from, ball).batch(5)[0] for _ in range(2))
    other = the_lessons(learns_from, ball, seed=1).batch(5)[0]

    shown = [
        np.asarray(one.inputs if learns_from == "views" else one.image)
        for one in (first, second, other)
    ]
    np.testing.assert_array_equal(shown[0], shown[1])
    assert shown[0].shape != shown[2].shape or (shown[0] != shown[2]).any()


def test_a_volume_keeps_its_grid(ball):
    batch = the_lessons("volumes", ball).batch(0)

    assert len(batch) == 2
    for lesson in batch:
        assert lesson.image.shape == ball.image.shape
        assert lesson.truth.shape == ball.mask.shape
        assert 0.3 < lesson.truth.sum() / ball.mask.sum() < 3
        assert lesson.counted is None
        prompt = lesson.prompt
        assert len(prompt.points) or prompt.box or prompt.mask.any()


def test_without_augmentation_a_volume_is_as_it_was(ball):
    warped = warp_whole(ball, PLAIN, np.random.default_rng(0))

    np.testing.assert_allclose(warped.image.numpy(), ball.image, atol=1e-6)
    np.testing.assert_array_equal(warped.share.numpy(), ball.mask)
    assert warped.counted.all()


def test_an_object_is_brought_to_cubic_voxels(ball):
    warped = warp_around(ball, (32, 32, 32), PLAIN, np.random.default_rng(0))

    extents = [
        int((warped.share > 0.5).any(dim=a).any(dim=b).sum()) for a, b in ((2, 1), (2, 0), (1, 0))
    ]
    assert max(extents) - min(extents) <= 4  # a ball is a ball again
    assert min(extents) > 32 / (1 + 2 * 0.8) - 5
    # 24 mm of k at about 1 / 2 mm or more: the grid reaches beyond the volume, where nothing counts
    assert 0 < float(warped.counted.mean()) <= 1
