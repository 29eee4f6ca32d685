import numpy as np
import pytest

from samssl_cli.volumes.resample import (
    resample_antialiased,
    resample_image,
    resample_label,
    target_shape,
)


@pytest.mark.parametrize(
    ("shape", "old", "new", "expected"),
    [
        ((10, 10, 10), (1, 1, 3), (1, 1, 1), (10, 10, 30)),
        ((10, 10, 10), (1, 1, 1), (3, 1, 1), (3, 10, 10)),
        ((1, 10, 10), (1, 1, 1), (9, 1, 1), (1, 10, 10)),
        ((1000, 10, 10), (1.0009, 1, 1), (1, 1, 1), (1000, 10, 10)),  # 1001 without tolerance
    ],
    ids=["finer", "coarser", "never empty", "same within 1e-3"],
)
def test_target_shape(shape, old, new, expected):
    assert target_shape(shape, old, new) == expected


def test_linear_doubling_by_hand():
    image = np.array([0, 4], np.float32).reshape(1, 2, 1, 1)
    # output centres at -0.25, 0.25, 0.75, 1.25 of the input; outside it the edge value holds
    doubled = resample_image(image, (4, 1, 1), order=1)
    assert doubled.ravel().tolist() == [0, 1, 3, 4]
    assert doubled.dtype == np.float32


def test_halving_averages_pairs():
    image = np.array([0, 2, 4, 10], np.float32).reshape(1, 4, 1, 1)
    # output centres at 0.5 and 2.5: halfway between two voxels
    assert resample_image(image, (2, 1, 1), order=1).ravel().tolist() == [1, 7]


def test_the_same_shape_changes_nothing():
    image = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(resample_image(image, (3, 4, 5)), image)


def test_cubic_overshoot_is_clamped_per_channel():
    step = np.repeat(np.float32([0, 1]), 8).reshape(1, 16, 1, 1)
    image = np.concatenate([step, 10 * step])
    fine = resample_image(image, (37, 1, 1))
    assert (fine[0].min(), fine[0].max(), fine[1].max()) == (0, 1, 10)


def test_one_voxel_grows_to_a_constant():
    image = np.full((1, 1, 1, 1), 5, np.float32)
    np.testing.assert_allclose(resample_image(image, (3, 3, 3)), 5)


def test_label_keeps_its_blocks_and_its_classes():
    label = np.zeros((4, 4, 4), np.uint8)
    label[2:, :, :2], label[2:, :, 2:] = 1, 3
    fine = resample_label(label, (8, 8, 8), 4)
    np.testing.assert_array_equal(fine, label.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    assert fine.dtype == np.uint8


def test_a_tie_goes_to_the_lower_class():
    label = np.array([1, 2], np.uint8).reshape(2, 1, 1)
    assert resample_label(label, (1, 1, 1), 3).item() == 1


def test_antialiasing_blurs_along_the_shrinking_axes_alone():
    checkers = np.zeros((1, 12, 12, 12), np.float32)
    checkers[:, ::3] = 3  # a frequency that every third voxel cannot show
    checkers[:, :, ::2] += 1
    plain, blurred = (one(checkers, (4, 12, 12)) for one in (resample_image, resample_antialiased))
    assert abs(plain[0, 1:3, 1::2]).max() < 1e-3  # sampled between two bars
    assert abs(blurred[0, 1:3, 1::2].mean() - 1) < 0.15  # their mean
    np.testing.assert_allclose(np.diff(blurred[0], axis=1)[1:3, ::2], -1, atol=1e-4)  # kept


def test_antialiasing_leaves_what_gets_finer_alone():
    image = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(
        resample_antialiased(image, (6, 4, 9)), resample_image(image, (6, 4, 9))
    )
    assert resample_antialiased(image, (3, 4, 5)) is image
