import numpy as np
import pytest

from samssl_cli.registration.soft_labels import FAR_MM, probabilities, signed_distances

SPACING_MM = (1.0, 1.0, 2.0)


def test_distances_are_in_millimetres_and_positive_inside():
    label = np.zeros((9, 9, 9), np.uint8)
    label[3:6, 3:6, 3:6] = 1

    background, found = signed_distances(label, 2, SPACING_MM)

    assert (found[4, 4, 4], found[3, 4, 4], found[2, 4, 4], found[4, 4, 2]) == (2, 1, -1, -2)
    np.testing.assert_array_equal(background, -found)


def test_a_class_that_is_not_there_is_far():
    distances = signed_distances(np.zeros((3, 3, 3), np.uint8), 3, SPACING_MM)

    np.testing.assert_array_equal(distances[0], FAR_MM)
    np.testing.assert_array_equal(distances[1:], -FAR_MM)


def test_a_voxel_at_a_border_may_be_either_and_one_softness_off_is_rather_sure():
    distances = np.array([0.0, -2.0], np.float32).reshape(1, 2, 1, 1)

    found = probabilities(np.concatenate([distances, -distances]), softness_mm=2.0)

    assert found[0].ravel() == pytest.approx([0.5, 0.1192], abs=1e-4)  # 1 / (1 + e^2)


def test_one_voxel_keeps_its_label():
    label = np.zeros((5, 5, 5), np.uint8)
    label[2, 2, 2] = 2

    found = probabilities(signed_distances(label, 3, SPACING_MM), softness_mm=3.0)

    np.testing.assert_array_equal(found.argmax(axis=0), label)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)
