import json
import re
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.volumes.geometry import (
    Geometry,
    affines_agree,
    from_native_image,
    from_native_label,
    from_ras,
    to_native_label,
    to_native_probability,
    to_ras,
)
from samssl_cli.volumes.grid import NativeGrid
from samssl_cli.volumes.nifti import read_label, write_label

SPACING = (0.7, 0.8, 3.0)
ORIENTATIONS = [
    "".join(pair[flip] for pair, flip in zip(pairs, flips, strict=True))
    for pairs in permutations([("L", "R"), ("P", "A"), ("I", "S")])
    for flips in product((0, 1), repeat=3)
]  # all 48


def grid_along(codes, shape=(3, 4, 5), *, tilt=0.1):
    """A grid whose file axes run along `codes`, slightly oblique, with anisotropic voxels."""
    directions = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
    affine = np.zeros((4, 4))
    for axis, code in enumerate(codes):
        affine[directions[code], axis] = SPACING[axis] * (1 if code in "RAS" else -1)
    rotation = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    affine[:2, :3] = rotation @ affine[:2, :3]
    affine[:, 3] = [-31.7, 12.1, 5.55, 1]
    return NativeGrid.from_affine(shape, affine)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_comes_back_voxel_for_voxel(tmp_path, codes):
    grid = grid_along(codes)
    native = np.arange(60, dtype=np.uint8).reshape(grid.shape)
    geometry = Geometry.of(grid)
    ras = to_ras(native, geometry)
    assert ras.shape == geometry.shape == geometry.ras_shape
    assert nib.aff2axcodes(geometry.affine) == ("R", "A", "S")
    np.testing.assert_array_equal(from_ras(ras, geometry), native)
    # nibabel, asked the same, gives the same voxels and affine
    expected = nib.as_closest_canonical(nib.Nifti1Image(native, grid.affine))
    np.testing.assert_array_equal(ras, np.asarray(expected.dataobj))
    np.testing.assert_allclose(geometry.affine, expected.affine, atol=1e-9)
    write_label(tmp_path / "a.nii.gz", from_ras(ras, geometry), grid)
    label, again = read_label(tmp_path / "a.nii.gz", max_bytes=10_000)
    assert again == grid
    np.testing.assert_array_equal(label, native)


def test_spacing_follows_its_axis():
    # file axes: S (0.7 mm), L (0.8 mm), A (3 mm) -> RAS+: 0.8, 3, 0.7
    geometry = Geometry.of(grid_along("SLA"))
    np.testing.assert_allclose(geometry.spacing_mm, (0.8, 3.0, 0.7), rtol=1e-6)
    assert geometry.shape == (4, 5, 3)


def test_affine_after_crop_and_resampling():
    geometry = Geometry.of(NativeGrid.from_affine((10, 10, 10), np.diag([2, 2, 2, 1])))
    geometry = geometry.cropped((1, 0, 0), (5, 10, 10)).resampled((8, 10, 5))
    # axis 0: voxels 1..4 (4 x 2 mm from the face at 1 mm) become 8 x 1 mm; centre at 1 + 0.5
    # axis 2: 10 x 2 mm from the face at -1 mm become 5 x 4 mm; centre at -1 + 2
    np.testing.assert_allclose(geometry.spacing_mm, (1, 2, 4))
    np.testing.assert_allclose(geometry.affine[:3, 3], (1.5, 0, 1))


def test_resampled_voxels_lie_where_the_affine_says():
    """An image of its own world x coordinate still shows it after crop and resampling."""
    grid = grid_along("LAS", (12, 6, 6), tilt=0.0)
    indices = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"))
    world_x = np.tensordot(grid.affine[0, :3], indices, axes=1) + grid.affine[0, 3]
    geometry = Geometry.of(grid).cropped((2, 0, 0), (10, 6, 6)).resampled((16, 6, 6))
    image = from_native_image(world_x[None].astype(np.float32), geometry)
    expected = geometry.affine[0, 0] * np.arange(16) + geometry.affine[0, 3]
    # the outermost voxels would look beyond the box, and cubic splines bend close to its border
    np.testing.assert_allclose(image[0, 4:-4, 0, 0], expected[4:-4], atol=0.02)
    np.testing.assert_allclose(image[0, 1:-1, 0, 0], expected[1:-1], atol=0.1)


def test_geometry_survives_json_exactly():
    geometry = Geometry.of(grid_along("PIR")).cropped((1, 0, 1), (3, 2, 4)).resampled((4, 4, 7))
    again = Geometry.from_json(json.loads(json.dumps(geometry.to_json())))
    assert again == geometry
    np.testing.assert_array_equal(again.affine, geometry.affine)


def test_label_without_resampling_is_exact_in_the_box_and_background_outside():
    native = np.random.default_rng(0).integers(0, 3, (3, 4, 5)).astype(np.uint8)
    geometry = Geometry.of(grid_along("LPS")).cropped((0, 1, 0), (3, 3, 5))
    back = to_native_label(from_native_label(native, geometry, 3), geometry, 3)
    # P runs against A: RAS rows 1..2 of 4 are the file's rows 1..2
    np.testing.assert_array_equal(back[:, 1:3], native[:, 1:3])
    assert not back[:, [0, 3]].any()


def test_resampled_label_comes_back_nearly_whole():
    native = np.zeros((20, 20, 10), np.uint8)
    native[4:14, 5:15, 2:8] = 1
    geometry = Geometry.of(grid_along("PIR", native.shape))
    geometry = geometry.resampled(tuple(2 * n for n in geometry.shape))
    back = to_native_label(from_native_label(native, geometry, 2), geometry, 2)
    np.testing.assert_array_equal(back, native)


@pytest.mark.parametrize("resampled", [(2, 3, 5), (4, 5, 9)], ids=["same", "finer"])
def test_probability_is_background_outside_the_box_and_sums_to_1(resampled):
    geometry = Geometry.of(grid_along("RAS")).cropped((1, 1, 0), (3, 4, 5)).resampled(resampled)
    probability = np.random.default_rng(0).dirichlet((1, 1, 1), resampled).astype(np.float32)
    probability = np.moveaxis(probability, -1, 0)
    native = to_native_probability(probability, geometry)
    assert (native.shape, native.dtype) == ((3, 3, 4, 5), np.float32)
    np.testing.assert_allclose(native.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(native[:, 0, 0, 0], [1, 0, 0])
    if resampled == geometry.crop_shape:
        np.testing.assert_array_equal(native[:, 1:, 1:], probability)


def nudged(change):
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    change(affine)
    return NativeGrid.from_affine((10, 10, 10), affine)


def shift(value):
    return lambda affine: affine.__setitem__((0, 3), value)


def stretch(value):
    return lambda affine: affine.__setitem__((2, 2), value)


def shear(value):
    return lambda affine: affine.__setitem__((1, 0), value)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (shift(1e-5), None),
        (shift(0.4), None),
        (shift(0.6), "0.6 voxels apart"),
        (stretch(3.0005), None),
        (stretch(3.1), r"spacing \(1, 1, 3\) mm against \(1, 1, 3.1\) mm"),
        (stretch(-3.0), "directions"),
        (shear(5e-5), None),
        (shear(5e-4), "directions"),
    ],
    ids=["noise", "0.4 voxel", "0.6 voxel", "noisy spacing", "spacing", "flip", "noisy", "tilt"],
)
def test_affines_agree_forgives_noise_only(change, phrase):
    found = affines_agree(nudged(shift(0.0)), nudged(change))
    if phrase is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(phrase, found), found


def test_affines_agree_names_shapes():
    one, other = (NativeGrid.from_affine((4, 5, n), np.eye(4)) for n in (6, 7))
    assert affines_agree(one, other) == "shape 4 x 5 x 6 against 4 x 5 x 7"
