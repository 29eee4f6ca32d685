from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from samssl_cli.recipe import Augmentation
from samssl_cli.training.warp import Warp, cut, draw_warp

SHAPE = (9, 11, 7)
MIDDLE = np.array([4, 5, 3], np.float32)
STILL = np.zeros((3, 4, 4, 4), np.float32)  # an elastic field that moves nothing

NOWHERE = Warp(MIDDLE, np.eye(3, dtype=np.float32), None)


@pytest.fixture
def volume() -> np.ndarray:
    """(2, 9, 11, 7) noise: every voxel can be told from every other."""
    return np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)


@pytest.fixture
def coordinates() -> np.ndarray:
    """(3, 9, 11, 7): every voxel says where it is, so that a patch says where it was taken."""
    return np.indices(SHAPE).astype(np.float32)


def turned(axis: str) -> Warp:
    """A quarter turn about a voxel axis, by the right-hand rule."""
    matrix = Rotation.from_euler(axis, np.pi / 2).as_matrix().astype(np.float32)
    return replace(NOWHERE, matrix=matrix)


def draw(seed=0, *, patch_size=(8, 8, 8), **options) -> Warp:
    augmentation = Augmentation(**options)
    rng = np.random.default_rng(seed)
    return draw_warp(rng, augmentation, centre=MIDDLE, patch_size=patch_size)


@pytest.mark.parametrize(
    ("centre", "size", "expected"),
    [
        # An odd patch is centred on a voxel, an even one between two.
        pytest.param((4, 5, 3), (3, 5, 1), np.s_[3:6, 3:8, 3:4], id="odd"),
        pytest.param((4.5, 5.5, 3.5), (2, 4, 6), np.s_[4:6, 4:8, 1:7], id="even"),
        pytest.param((4, 5, 3), (9, 11, 7), np.s_[:, :, :], id="whole"),
    ],
)
@pytest.mark.parametrize("knots", [None, STILL], ids=["plain", "sampled"])
def test_a_warp_that_changes_nothing_is_a_crop(centre, size, expected, knots, volume):
    warp = replace(NOWHERE, centre=np.array(centre, np.float32), knots=knots)
    patch = cut(volume, warp, patch_size=size)
    assert patch.dtype == torch.float32
    assert_allclose(patch, volume[:, *expected], atol=0 if knots is None else 1e-5)


@pytest.mark.parametrize("knots", [None, STILL], ids=["plain", "sampled"])
@pytest.mark.parametrize("order", ["bilinear", "nearest"])
def test_outside_the_volume_is_0(order, knots, volume):
    warp = replace(NOWHERE, centre=np.zeros(3, np.float32), knots=knots)
    patch = cut(volume + 5, warp, patch_size=(5, 5, 5), order=order)  # from -2 to 2
    assert (patch[:, :2] == 0).all()
    assert (patch[:, :, :2] == 0).all()
    assert (patch[..., :2] == 0).all()
    assert_allclose(patch[:, 2:, 2:, 2:], volume[:, :3, :3, :3] + 5, atol=1e-5)


@pytest.mark.parametrize("knots", [None, STILL], ids=["plain", "sampled"])
def test_a_patch_far_away_is_all_0(knots, volume):
    warp = replace(NOWHERE, centre=np.array([99, -99, 3], np.float32), knots=knots)
    assert (cut(volume, warp, patch_size=(4, 4, 4)) == 0).all()


@pytest.mark.parametrize("knots", [None, STILL], ids=["plain", "sampled"])
def test_a_patch_larger_than_the_volume_holds_it_in_its_middle(knots, volume):
    patch = cut(volume, replace(NOWHERE, knots=knots), patch_size=(13, 13, 13))
    assert patch.shape == (2, 13, 13, 13)
    assert_allclose(patch[:, 2:11, 1:12, 3:10], volume, atol=1e-5)
    assert patch.abs().sum().item() == pytest.approx(np.abs(volume).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("axis", "plane"),
    [pytest.param("z", (1, 2), id="k"), pytest.param("y", (3, 1), id="j"),
     pytest.param("x", (2, 3), id="i")],
)  # fmt: skip
def test_a_rotation_by_90_degrees_is_rot90(axis, plane, volume):
    # The patch looks along turned axes, so what it sees turns the other way.
    crop = volume[:, 2:7, 3:8, 1:6]  # 5 x 5 x 5 around (4, 5, 3)
    patch = cut(volume, turned(axis), patch_size=(5, 5, 5))
    assert_allclose(patch, np.rot90(crop, -1, plane), atol=1e-4)


def test_a_matrix_of_2_takes_every_second_voxel(volume):
    doubled = replace(NOWHERE, matrix=2 * np.eye(3, dtype=np.float32))
    patch = cut(volume, doubled, patch_size=(3, 3, 3))
    assert_allclose(patch, volume[:, 2:7:2, 3:8:2, 1:6:2], atol=1e-5)


def test_nearest_keeps_the_labels():
    label = np.random.default_rng(0).choice([0, 1, 4], (1, *SHAPE)).astype(np.uint8)
    patch = cut(label, draw(rotation_rad=1.0), patch_size=(8, 8, 8), order="nearest")
    assert set(patch.unique().tolist()) == {0.0, 1.0, 4.0}


def test_image_and_label_of_one_warp_stay_together(coordinates):
    # "nearest" takes the voxel whose coordinates round to those of the exact place.
    warp = draw(rotation_rad=0.5, scale=0.2, elastic=0.1, flip_axes=(1,), rotate90_axes=(0, 1))
    place = cut(coordinates, warp, patch_size=(4, 4, 4))
    voxel = cut(coordinates.astype(np.uint8), warp, patch_size=(4, 4, 4), order="nearest")
    assert (place > 0).all()  # all of it is inside
    assert (place - voxel).abs().max() <= 0.501


@pytest.mark.parametrize("flips", [(0,), (2,), (0, 1, 2)])
def test_flips_mirror_the_crop(flips, volume):
    size = (4, 6, 2)
    crop = cut(volume, NOWHERE, patch_size=size)
    flipped = cut(volume, replace(NOWHERE, flips=flips), patch_size=size)
    assert_array_equal(flipped, np.flip(crop.numpy(), [axis + 1 for axis in flips]))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_keep_the_size_of_the_patch(turns, volume):
    warp = replace(NOWHERE, quarter_turns=turns, turn_axes=(0, 2))
    size = (5, 3, 1)
    before = size if turns == 2 else (1, 3, 5)
    expected = np.rot90(cut(volume, NOWHERE, patch_size=before), turns, (1, 3))
    assert_array_equal(cut(volume, warp, patch_size=size), expected)


def test_the_same_seed_draws_the_same_warp_and_another_seed_another():
    options = {"flip_axes": (0, 1, 2), "rotate90_axes": (0, 1)}
    first, again, other = draw(1, **options), draw(1, **options), draw(2, **options)
    assert_array_equal(first.matrix, again.matrix)
    assert_array_equal(first.knots, again.knots)
    assert (first.flips, first.quarter_turns) == (again.flips, again.quarter_turns)
    assert not np.array_equal(first.matrix, other.matrix)
    assert not np.array_equal(first.knots, other.knots)


def test_without_augmentation_nothing_is_drawn():
    warp = draw(affine_probability=0, elastic=0.5)
    assert warp.is_plain
    assert warp.flips == ()
    assert warp.quarter_turns == 0


def test_an_affine_of_no_size_is_plain():
    assert draw(rotation_rad=0, scale=0, elastic=0).is_plain


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_matrix_is_a_rotation_times_a_scale(seed):
    matrix = draw(seed, rotation_rad=0.3, scale=0.2).matrix
    scale = np.cbrt(np.linalg.det(matrix))
    assert 0.8 <= scale <= 1.2
    assert_allclose(matrix @ matrix.T, scale**2 * np.eye(3), atol=1e-5)


def test_elastic_moves_a_voxel_by_at_most_its_part_of_half_the_patch(coordinates):
    # 0.25 of half of 4 voxels: 0.5 voxels along each axis
    bent = draw(rotation_rad=0, scale=0, elastic=0.25, patch_size=(4, 4, 4))
    moved = cut(coordinates, bent, patch_size=(4, 4, 4)) - cut(
        coordinates, replace(bent, knots=STILL), patch_size=(4, 4, 4)
    )
    assert 0.1 < moved.abs().max() <= 0.5 + 1e-5


def test_every_flip_and_quarter_turn_is_drawn():
    warps = [draw(seed, flip_axes=(0, 2), rotate90_axes=(0, 1)) for seed in range(60)]
    assert {warp.flips for warp in warps} == {(), (0,), (2,), (0, 2)}
    assert {warp.quarter_turns for warp in warps} == {0, 1, 2, 3}


def test_half_precision_volumes_are_read_as_float32(volume):
    half = volume.astype(np.float16)
    patch = cut(half, NOWHERE, patch_size=(3, 3, 3))
    assert patch.dtype == torch.float32
    assert_array_equal(patch, half[:, 3:6, 4:7, 2:5])
