import numpy as np
import pytest

from samssl_cli.gate.arrays import pack, unpack
from samssl_cli.gate.view import true_object


def test_the_window_holds_what_anybody_calls_the_object(make_view):
    # The object is 5 ... 8, the answer 6 ... 9, the true one 3 ... 6; four voxels of margin.
    view = make_view(6, truth=3)
    assert (view.window.low, view.window.high) == ((0, 1, 0), (14, 13, 12))
    assert view.mask.sum() == view.truth.sum() == 64
    assert view.volume_mm3 == 128
    assert make_view(6).window.low[0] == 1  # without the true object it begins at 5 - 4


def test_agreement_is_the_dice_of_the_masks(make_view):
    # 4 x 4 x 4 voxels, shifted by one: 48 in common.
    assert make_view(5, 6).agreements == pytest.approx([1, 0.75])


def test_the_true_object_is_what_the_mask_touches():
    truth = np.zeros((10, 3, 3), bool)
    truth[:3] = truth[6:8] = True
    mask = np.zeros_like(truth)
    mask[2:5] = True
    assert np.flatnonzero(true_object(truth, mask).any((1, 2))).tolist() == [0, 1, 2]
    mask[2] = False
    assert not true_object(truth, mask).any()


def test_views_survive_being_stored(make_view):
    views = [make_view(6, 4, truth=3, draw=2), make_view(5, 5, iou=float("nan"))]
    arrays, attributes = pack(views, 2)
    for before, after in zip(views, unpack(arrays, attributes), strict=True):
        for name, value in vars(before).items():
            np.testing.assert_array_equal(getattr(after, name), value, err_msg=name)
            assert getattr(value, "dtype", None) == getattr(getattr(after, name), "dtype", None)


def test_a_case_without_objects_can_be_stored():
    arrays, attributes = pack([], 2)
    assert unpack(arrays, attributes) == []
    assert arrays["probability"].shape == (5, 0)
