"""Damaged, hostile and merely odd NIfTI files, each refused in one clear line."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.errors import DataError
from samssl_cli.volumes.nifti import read_header, read_label, read_volume

MB = 1_000_000


def save(path, array):
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    return path


def save_header(path, **fields):
    """A 4 x 5 x 6 volume of zeros whose header says something else."""
    header = nib.Nifti1Header()
    header.set_data_shape((4, 5, 6))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"], header["sform_code"] = b"n+1", 352, 1
    header["srow_x"][0] = header["srow_y"][1] = header["srow_z"][2] = 1
    header["pixdim"][1:4] = 1
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4 + 120)))
    return path


LABEL_DEFECTS = {
    "fractions": (np.array([0, 0.5, 1], np.float32), r"values 0\.5 found, expected whole numbers"),
    "nan": (np.array([0, np.nan, 1], np.float32), "values nan found"),
    "infinite": (np.array([0, np.inf, 1], np.float32), "values inf found"),
    "negative": (np.array([0, -1, -2], np.int16), "values -2, -1 found, expected 0 to 65535"),
    "huge": (np.array([0, 70000, 1], np.int32), "values 70000 found"),
}


@pytest.mark.parametrize(("values", "message"), LABEL_DEFECTS.values(), ids=LABEL_DEFECTS)
def test_a_wrong_label_is_refused_naming_its_values(tmp_path, values, message):
    path = save(tmp_path / "a.nii.gz", values.reshape(3, 1, 1))
    with pytest.raises(DataError, match=message) as caught:
        read_label(path, max_bytes=MB)
    assert str(path) in str(caught.value)


def test_a_label_with_layers_is_refused(tmp_path):
    path = save(tmp_path / "a.nii.gz", np.zeros((2, 2, 2, 3), np.uint8))
    with pytest.raises(DataError, match=r"2 x 2 x 2 x 3, expected one value per voxel"):
        read_label(path, max_bytes=MB)


def text(path):
    path.write_text("not a volume")


def empty(path):
    path.write_bytes(b"")


def noise():
    return np.random.default_rng(0).integers(0, 255, (20, 20, 20)).astype(np.uint8)


def truncated(path):
    whole = save(path, noise()).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def truncated_header(path):
    path.write_bytes(save(path, noise()).read_bytes()[:50])


def flipped_bit(path):
    whole = bytearray(save(path, noise()).read_bytes())
    whole[len(whole) // 2] ^= 0x10
    path.write_bytes(whole)


def gz_bomb(path):
    header = nib.Nifti1Header()
    header.set_data_shape((1024, 1024, 256))
    header.set_data_dtype(np.float32)
    header["magic"], header["vox_offset"] = b"n+1", 352
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4 + 100_000)))


def with_header(**fields):
    return lambda path: save_header(path, **fields)


def with_array(array):
    return lambda path: save(path, array)


RGB = np.zeros((2, 2, 2), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
ONE_NAN = np.where(np.arange(8).reshape(2, 2, 2) == 3, np.nan, 1.0)
DEFECTS = {
    "missing": (lambda path: None, "not readable as NIfTI: No such file"),
    "folder": (lambda path: path.mkdir(), "not readable as NIfTI"),
    "empty": (empty, r"empty \(0 bytes\)"),
    "text": (text, "not readable as NIfTI"),
    "truncated": (truncated, "cut short"),
    "truncated header": (truncated_header, "not readable as NIfTI"),
    "flipped bit": (flipped_bit, "the voxels cannot be read"),
    "header bomb": (with_header(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]), r"limit is 0\.001 GB"),
    "gz bomb": (gz_bomb, r"needs 1\.07 GB, the limit is 0\.001 GB"),
    "negative dim": (with_header(dim=[3, -4, 5, 6, 1, 1, 1, 1]), "a.nii.gz: "),
    "zero dim": (with_header(dim=[3, 0, 5, 6, 1, 1, 1, 1]), "holds no voxels"),
    "2-D": (with_array(np.zeros((4, 5), np.uint8)), "expected 3-D"),
    "vectors": (with_array(np.zeros((2, 2, 2, 1, 3), np.float32)), "expected 3-D"),
    "bad datatype": (with_header(datatype=77), "not readable as NIfTI"),
    "vox_offset": (with_header(vox_offset=1e9), r"voxels start at byte 1e\+09"),
    "NaN pixdim": (with_header(pixdim=[1, 1, np.nan, 1, 1, 1, 1, 1]), r"voxel sizes \(pixdim\)"),
    "infinite pixdim": (with_header(pixdim=[1, 1, np.inf, 1, 1, 1, 1, 1]), "voxel sizes"),
    "singular": (with_header(srow_z=[0, 1, 0, 0]), "singular"),
    "zero affine": (with_header(srow_z=[0, 0, 0, 0]), "singular"),
    "NaN affine": (with_header(srow_x=[1, 0, 0, np.nan]), "affine holds NaN"),
    "bad quaternion": (with_header(qform_code=1, quatern_b=3), "orientation cannot be decoded"),
    "micrometres": (with_header(xyzt_units=3), "micrometres"),
    "RGB": (with_array(RGB), "expected plain numbers"),
    "complex": (with_array(np.zeros((2, 2, 2), np.complex64)), "expected plain numbers"),
    "NaN voxel": (with_array(ONE_NAN), "1 of 8 voxels are NaN"),
    "beyond float32": (with_array(np.full((2, 2, 2), 1e300)), "8 of 8 voxels are NaN or infinite"),
    "zero pixdim": (with_header(pixdim=[1, 1, 0, 1, 1, 1, 1, 1]), r"\[1\.0, 0\.0, 1\.0\]"),
    "infinite slope": (with_header(scl_slope=np.inf), "scl_slope, scl_inter"),
}


@pytest.mark.parametrize(("damage", "message"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_one_clear_line(tmp_path, damage, message):
    path = tmp_path / "a.nii.gz"
    damage(path)
    with pytest.raises(DataError, match=message) as caught:
        read_volume(path, max_bytes=MB)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_format_is_refused(tmp_path):
    nib.save(nib.MGHImage(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / "a.mgz")
    with pytest.raises(DataError, match=r"a\.mgz: expected a name that ends in \.nii"):
        read_header(tmp_path / "a.mgz", max_bytes=MB)


def test_a_plain_nii_that_is_cut_short_is_refused(tmp_path):
    path = save(tmp_path / "a.nii", noise())
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="the voxels cannot be read"):
        read_volume(path, max_bytes=MB)


def test_negative_pixdim_of_old_files_is_accepted(tmp_path):
    path = save_header(tmp_path / "a.nii.gz", pixdim=[1, -1, 1, 1, 1, 1, 1, 1])
    assert read_header(path, max_bytes=MB).spacing_mm == (1, 1, 1)


@pytest.mark.parametrize("read", [read_volume, read_label])
def test_a_full_memory_is_not_called_a_damaged_file(tmp_path, monkeypatch, read):
    path = save(tmp_path / "a.nii.gz", noise())

    def allocate(*_args):
        raise MemoryError

    monkeypatch.setattr("samssl_cli.volumes.nifti._decompressed", allocate)
    with pytest.raises(DataError, match=r"not enough memory .* fewer --workers") as caught:
        read(path, max_bytes=MB)
    assert "damaged" not in str(caught.value)
