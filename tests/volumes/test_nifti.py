import nibabel as nib
import numpy as np
import pytest

from samssl_cli.errors import DataError
from samssl_cli.volumes.grid import NativeGrid
from samssl_cli.volumes.nifti import (
    read_header,
    read_label,
    read_volume,
    write_image,
    write_label,
)

MB = 1_000_000
# an oblique frame, as scanners make them: rotated by 0.3 rad about the third axis, 0.7 x 0.8 x 3 mm
OBLIQUE = np.array(
    [
        [0.7 * np.cos(0.3), -0.8 * np.sin(0.3), 0, -31.7],
        [0.7 * np.sin(0.3), 0.8 * np.cos(0.3), 0, 12.1],
        [0, 0, 3.0, 5.55],
        [0, 0, 0, 1],
    ]
)


def save(path, array, affine=None, *, qform_code=1, sform_code=1):
    image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine)
    image.set_qform(image.affine, code=qform_code)
    image.set_sform(image.affine, code=sform_code)
    nib.save(image, path)
    return path


def test_a_volume_is_channels_first_and_scaled(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(2, 10)  # stored 0, 1, 2, … mean 10, 12, 14, …
    nib.save(image, tmp_path / "a.nii.gz")
    volume, grid = read_volume(tmp_path / "a.nii.gz", max_bytes=MB)
    assert (volume.shape, volume.dtype, grid.shape) == ((1, 2, 3, 4), np.float32, (2, 3, 4))
    assert volume.ravel().tolist() == list(range(10, 58, 2))


@pytest.mark.parametrize(
    ("shape", "num_channels"),
    [((2, 3, 4, 1), 1), ((2, 3, 4, 1, 1), 1), ((2, 3, 4, 2), 2)],
    ids=["4-D of one", "5-D of ones", "MSD with two channels"],
)
def test_a_fourth_axis_holds_channels(tmp_path, shape, num_channels):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    volume, grid = read_volume(save(tmp_path / "a.nii", array), max_bytes=MB)
    assert volume.shape == (num_channels, 2, 3, 4)
    assert grid.shape == (2, 3, 4)
    np.testing.assert_array_equal(volume[-1], array.reshape(2, 3, 4, -1)[..., -1])


def test_a_float_label_near_integers_is_rounded(tmp_path):
    array = np.array([0.9999, 0, 2.0004], np.float32).reshape(3, 1, 1)
    label, _ = read_label(save(tmp_path / "a.nii.gz", array), max_bytes=MB)
    assert label.dtype == np.uint8
    assert label.ravel().tolist() == [1, 0, 2]


def test_a_label_above_255_is_uint16_and_written_so(tmp_path):
    array = np.array([0, 300], np.int32).reshape(2, 1, 1)
    label, grid = read_label(save(tmp_path / "a.nii.gz", array), max_bytes=MB)
    write_label(tmp_path / "b.nii.gz", label, grid)
    assert nib.load(tmp_path / "b.nii.gz").get_data_dtype() == np.uint16


@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 2), (2, 4), (0, 0)], ids=str)
@pytest.mark.parametrize("name", ["b.nii", "b.nii.gz"])
def test_read_write_read_keeps_the_geometry_exactly(tmp_path, codes, name):
    qform_code, sform_code = codes
    array = np.ones((4, 3, 2), np.int16)
    source = save(
        tmp_path / "a.nii.gz", array, OBLIQUE, qform_code=qform_code, sform_code=sform_code
    )
    label, grid = read_label(source, max_bytes=MB)
    write_label(tmp_path / name, label, grid)
    again = read_header(tmp_path / name, max_bytes=MB)
    assert again == grid
    np.testing.assert_array_equal(again.affine, nib.load(source).affine)
    written = nib.load(tmp_path / name).header
    assert (int(written["qform_code"]), int(written["sform_code"])) == codes
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_nifti_2_keeps_its_double_precision(tmp_path):
    nib.save(nib.Nifti2Image(np.ones((2, 2, 2), np.uint8), OBLIQUE), tmp_path / "a.nii.gz")
    label, grid = read_label(tmp_path / "a.nii.gz", max_bytes=MB)
    write_label(tmp_path / "b.nii.gz", label, grid)
    np.testing.assert_array_equal(nib.load(tmp_path / "b.nii.gz").affine, OBLIQUE)


def test_a_probability_is_written_with_channels_last(tmp_path):
    grid = NativeGrid.from_affine((2, 3, 4), OBLIQUE)
    probability = np.random.default_rng(0).random((3, 2, 3, 4), np.float32)
    write_image(tmp_path / "p.nii.gz", probability, grid)
    assert nib.load(tmp_path / "p.nii.gz").shape == (2, 3, 4, 3)
    again, grid_again = read_volume(tmp_path / "p.nii.gz", max_bytes=MB)
    np.testing.assert_array_equal(again, probability)
    assert grid_again == grid


@pytest.mark.parametrize("name", ["a.txt", "missing/a.nii.gz"])
def test_a_path_that_cannot_be_written_is_refused(tmp_path, name):
    grid = NativeGrid.from_affine((1, 1, 1), np.eye(4))
    with pytest.raises(DataError, match=name):
        write_label(tmp_path / name, np.zeros((1, 1, 1), np.uint8), grid)
