"""Row 10. However an image lies in its file, a label map lies on it; a real mismatch is refused.

That `samssl predict` overlays its images, in 48 orientations, straight and oblique, as nibabel and
as ITK read them, is shown by tests/pipeline/test_overlay.py. Here: the way there and back, for any
spacing, and the grids of labels.
"""

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

from samssl_cli.volumes.datasets.check import check_case
from samssl_cli.volumes.datasets.dataset import Dataset, RawCase
from samssl_cli.volumes.geometry import Geometry, from_ras, to_ras
from samssl_cli.volumes.nifti import read_label, write_label

ORIENTATIONS = [
    "".join(codes)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for codes in itertools.product(*axes)
]
SHAPE = (4, 3, 2)
MB = 1_000_000


def affine_of(codes, spacing_mm, origin_mm):
    """Axes along `codes` with these voxel sizes."""
    directions = np.zeros((3, 3))
    for column, (axis, flip) in enumerate(axcodes2ornt(codes)):
        directions[int(axis), column] = flip
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions @ np.diag(spacing_mm), origin_mm
    return affine


sizes = st.floats(0.125, 20, width=32)
places = st.floats(-500, 500, width=32)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    codes=st.sampled_from(ORIENTATIONS),
    spacing_mm=st.tuples(sizes, sizes, sizes),
    origin_mm=st.tuples(places, places, places),
    form_codes=st.sampled_from([(1, 1), (1, 0), (0, 2), (2, 4)]),
)
def test_row_10_there_and_back_is_exact(tmp_path, codes, spacing_mm, origin_mm, form_codes):
    label = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    image = nib.Nifti1Image(label, affine_of(codes, spacing_mm, origin_mm))
    image.set_qform(image.affine, form_codes[0])
    image.set_sform(image.affine, form_codes[1])
    nib.save(image, tmp_path / "a.nii")
    read, grid = read_label(tmp_path / "a.nii", max_bytes=MB)
    geometry = Geometry.of(grid)
    turned = to_ras(read, geometry)
    assert nib.aff2axcodes(geometry.affine) == ("R", "A", "S")
    # The same voxel in both lies at the same place.
    to_native = inv_ornt_aff(ornt_transform(axcodes2ornt(codes), axcodes2ornt("RAS")), SHAPE)
    np.testing.assert_allclose(geometry.affine, grid.affine @ to_native, rtol=1e-5, atol=1e-3)
    write_label(tmp_path / "b.nii", from_ras(turned, geometry), grid)
    back = nib.load(tmp_path / "b.nii")
    np.testing.assert_array_equal(np.asarray(back.dataobj), label)
    np.testing.assert_array_equal(back.affine, nib.load(tmp_path / "a.nii").affine)
    codes_back = int(back.header["qform_code"]), int(back.header["sform_code"])
    assert codes_back == form_codes


BASE = affine_of("LPS", (0.8, 0.9, 2.5), (10.0, -20.0, 30.0))


def moved(affine):
    """By one voxel along the first axis."""
    other = affine.copy()
    other[:3, 3] += affine[:3, 0]
    return other


MISMATCHES = {
    "by one voxel": (moved(BASE), "origin"),
    "flipped": (affine_of("RPS", (0.8, 0.9, 2.5), (10.0, -20.0, 30.0)), "directions"),
    "swapped": (affine_of("PLS", (0.9, 0.8, 2.5), (10.0, -20.0, 30.0)), "spacing"),
    "spacing": (affine_of("LPS", (0.8, 0.9, 2.0), (10.0, -20.0, 30.0)), "spacing"),
}


def problems(tmp_path, affine):
    """What is wrong with a label on this grid, of an image on the grid `BASE`."""
    nib.save(nib.Nifti1Image(np.ones(SHAPE, np.float32), BASE), tmp_path / "a_0000.nii.gz")
    nib.save(nib.Nifti1Image(np.ones(SHAPE, np.uint8), affine), tmp_path / "a.nii.gz")
    case = RawCase("a", (tmp_path / "a_0000.nii.gz",), tmp_path / "a.nii.gz", in_test=False)
    classes = ("background", "organ")
    dataset = Dataset(tmp_path, "tiny", ("MRI",), classes, (case,), "nifti")
    return check_case(dataset, case, max_bytes=MB)


def test_row_10_float_noise_is_forgiven(tmp_path):
    noise = np.random.default_rng(0).uniform(-1e-5, 1e-5, (4, 4))
    noise[3] = 0
    assert problems(tmp_path, BASE + noise) == []


@pytest.mark.parametrize(("affine", "what"), MISMATCHES.values(), ids=MISMATCHES)
def test_row_10_a_real_mismatch_is_told_with_both_grids(tmp_path, affine, what):
    (problem,) = problems(tmp_path, affine)
    assert "not on the grid of its image (image against label)" in problem
    assert what in problem
    assert " against " in problem.partition("label): ")[2]
    assert "copy the image's header to the label" in problem
