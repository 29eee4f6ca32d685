import numpy as np
import pytest
from scipy.special import logit

from samssl_cli.gate.features import (
    OF_GENERALIST,
    OF_SPECIALIST,
    band,
    contested,
    depth,
    features,
    softness,
)


def test_what_the_features_of_a_voxel_are(make_view):
    view = make_view(6, iou=0.5)
    known = features(view)
    assert len(known) == len(OF_SPECIALIST) + len(OF_GENERALIST)
    i, j, k = np.array([5, 6, 5]) - view.window.low  # of the object, but not of the answer
    evidence, entropy = logit(0.9), -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    own, sure, _, *answer = known[:, i, j, k]
    assert own == pytest.approx(evidence, rel=2e-3)
    assert sure == pytest.approx(evidence * (1 - entropy), rel=2e-3)
    # Nothing disagrees; the Dice is 0.75; the predicted IoU one half.
    assert answer == pytest.approx([-evidence * x for x in (1, 1, 0.75, 0.5)], rel=2e-3)


def test_a_generalist_that_cannot_say_how_good_it_is_promises_nothing(make_view):
    known = features(make_view(6, iou=float("nan")))
    assert not known[-1].any()
    assert np.isfinite(known).all()


def test_depth_is_in_half_widths_and_in_mm():
    # A slab of 4 voxels of 2 mm: depths 1, 3, 3, 1 mm, the half-width twice their mean.
    mask = np.zeros((30, 30, 10), bool)
    mask[:, :, 3:7] = True
    deep = depth(mask, (2.0, 2.0, 2.0))[15, 15]
    np.testing.assert_allclose(deep[1:8] * 4, [-3, -1, 1, 3, 3, 1, -1], rtol=0.1)


def test_one_voxel_has_a_depth():
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    deep = depth(mask, (1.0, 1.0, 1.0))
    assert deep[2, 2, 2] == 0.5
    assert deep[2, 2, 3] == -0.5
    assert np.isfinite(deep).all()


def test_the_band_reaches_two_voxels_at_least(make_view):
    view = make_view(5)
    where = band(view.mask, depth(view.mask, view.spacing_mm))
    reached = np.flatnonzero(where[:, 6 - view.window.low[1], 6 - view.window.low[2]])
    assert (reached + view.window.low[0]).tolist() == list(range(3, 11))


def test_where_an_answer_contradicts_is_contested(make_view):
    view = make_view(11)  # far from the object
    assert contested(view)[view.said[0] > 0.5].all()
    assert not contested(view)[0, 0, 0]


def test_a_harder_outline_is_less_soft():
    mask = np.zeros((8, 8, 8), bool)
    mask[2:6, 2:6, 2:6] = True
    found = [
        softness(np.where(mask, p, 1 - p).astype(np.float32), mask, (1, 1, 1))
        for p in (0.5, 0.7, 0.99)
    ]
    assert found[0] == pytest.approx(1)
    assert found[0] > found[1] > found[2]
