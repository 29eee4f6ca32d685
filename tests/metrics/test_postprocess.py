import numpy as np

from samssl_cli.metrics.postprocess import blur_largest_component, largest_component


def test_only_the_largest_component_of_each_class_stays():
    label = np.zeros((8, 6, 4), np.uint8)
    label[0:3, 0:3, 0:3] = 1
    label[3, 3, 3] = 1  # touches by a corner: the same component
    label[6, 0, 0] = 1
    label[7, 5, 0:2] = 2
    label[0, 5, 0] = 2
    cleaned = largest_component(label, [1, 2])
    assert (cleaned == 1).sum() == 28
    assert cleaned[6, 0, 0] == 0
    assert (cleaned == 2).sum() == 2
    assert cleaned[0, 5, 0] == 0
    assert cleaned.dtype == np.uint8
    assert label[6, 0, 0] == 1  # the argument is left alone


def test_of_equally_large_components_the_first_stays():
    label = np.array([1, 0, 0, 1], np.int16).reshape(4, 1, 1)
    assert largest_component(label, [1]).ravel().tolist() == [1, 0, 0, 0]


def test_nothing_there_stays_nothing():
    nothing = np.zeros((3, 2, 1), np.int64)
    assert not largest_component(nothing, [1, 2, 3]).any()
    full = np.ones((3, 2, 1), np.int64)
    assert (largest_component(full, [1]) == 1).all()


def test_blurring_removes_specks_fills_holes_and_keeps_the_largest():
    label = np.zeros((24, 12, 12), np.float32)
    label[2:10, 2:10, 2:10] = 1
    label[5, 5, 5] = 0  # a hole
    label[15:20, 3:8, 3:8] = 1  # a smaller component
    label[22, 10, 10] = 1  # a speck
    cleaned = blur_largest_component(np.stack([1 - label, label]), 1.0, [1])
    assert cleaned.dtype == np.uint8
    assert cleaned[5, 5, 5] == 1
    assert not cleaned[12:].any()


def test_blurring_a_prediction_without_objects_gives_none():
    nothing = np.zeros((3, 5, 4, 3), np.float32)
    nothing[0] = 1
    assert not blur_largest_component(nothing, 1.5, [1]).any()
