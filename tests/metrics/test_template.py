import numpy as np
import pytest

from samssl_cli.metrics.template import template_label


def line(*values):
    return np.array(values, np.uint8).reshape(-1, 1, 1)


def vote(*labels, shape=None, num_classes=3):
    return template_label(labels, shape or labels[0].shape, num_classes).ravel().tolist()


def test_the_majority_wins_voxel_by_voxel():
    assert vote(line(0, 1, 1, 2), line(0, 0, 1, 2), line(1, 1, 2, 2)) == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param((line(0), line(2)), [0], id="the background"),
        pytest.param((line(2), line(1)), [1], id="whatever the order"),
        pytest.param((line(2), line(1), line(0), line(2)), [2], id="no tie: most, not over half"),
    ],
)
def test_a_tie_goes_to_the_lower_class(labels, expected):
    assert vote(*labels) == expected


def test_masks_are_stretched_to_the_shape():
    label = np.zeros((2, 4, 6), np.uint8)
    label[1, 2:, 3:] = 1
    stretched = template_label([label], (4, 8, 3), 2)
    expected = np.zeros((4, 8, 3), np.uint8)
    expected[2:, 4:, 2:] = 1  # half of each axis; the middle of three is a tie, so background
    np.testing.assert_array_equal(stretched, expected)
    assert stretched.dtype == np.uint8


def test_labels_may_come_on_grids_of_their_own():
    one, two, three = np.ones((3, 1, 1), np.uint8), np.ones((7, 2, 5), np.uint8), line(0, 0)
    assert vote(one, two, three, shape=(2, 1, 1), num_classes=2) == [1, 1]


def test_one_voxel_becomes_a_block():
    assert vote(line(2), shape=(2, 1, 2)) == [2, 2, 2, 2]


def test_without_labels_everything_is_background():
    assert vote(shape=(2, 1, 1)) == [0, 0]


def test_a_class_that_no_label_has_stays_away():
    assert vote(line(0, 1), line(0, 1), num_classes=5) == [0, 1]


def test_more_than_255_labels_are_counted():
    assert vote(*[line(1)] * 300, *[line(0)] * 100) == [1]


def test_the_labels_are_left_alone():
    label = line(0, 1)
    assert template_label([label], label.shape, 2) is not label
    label.setflags(write=False)
    assert vote(label, label) == [0, 1]
