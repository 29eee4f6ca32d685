"""A data set with several defects: one run tells them all, and writes nothing."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.errors import DataError


def change(path, edit):
    image = nib.load(path)
    edited = edit(np.asarray(image.dataobj).copy(), image.header)
    nib.save(edited, path)


def with_nan(voxels, header):
    voxels = voxels.astype(np.float32)
    voxels[0, 0, 0] = np.nan
    return nib.Nifti1Image(voxels, None, header)


def with_unknown_class(voxels, header):
    voxels[0, 0, 0] = 7
    return nib.Nifti1Image(voxels, None, header)


def cut(voxels, header):
    return nib.Nifti1Image(voxels[:-1], header.get_best_affine())


def shifted(voxels, header):
    affine = header.get_best_affine()
    affine[0, 3] += 30
    return nib.Nifti1Image(voxels, affine)


@pytest.fixture
def defective(phantom, tmp_path):
    data = shutil.copytree(phantom, tmp_path / "data")
    change(data / "imagesTr/phantom_000_0000.nii.gz", with_nan)
    change(data / "labelsTr/phantom_001.nii.gz", with_unknown_class)
    (data / "imagesTr/phantom_002_0000.nii.gz").write_bytes(b"")
    (data / "imagesTr/phantom_003_0000.nii.gz").write_text("not a volume")
    change(data / "labelsTs/phantom_004.nii.gz", cut)
    change(data / "labelsTs/phantom_005.nii.gz", shifted)
    return data


EXPECTED = {
    "phantom_000_0000.nii.gz": ("1 of 9216 voxels are NaN", "replace them"),
    "phantom_001.nii.gz": ("label values 7 in 1 voxels", "relabel"),
    "phantom_002_0000.nii.gz": (r"empty (0 bytes)", "copy or export it again"),
    "phantom_003_0000.nii.gz": ("not readable as NIfTI", "copy or export it again"),
    "phantom_004.nii.gz": ("shape 24 x 24 x 16 against 23 x 24 x 16", "resample the label"),
    "phantom_005.nii.gz": ("origin", "resample the label"),
}


@pytest.mark.parametrize("workers", [1, 2])
def test_all_defects_are_told_at_once_with_their_cures(defective, new_loop, tmp_path, workers):
    before = sorted(tmp_path.rglob("*"))
    loop = new_loop.beside(data=defective, out=tmp_path / "out", num_workers=workers)
    with pytest.raises(DataError) as caught:
        loop.preprocess()
    assert f"{len(EXPECTED)} problems; nothing was written" in caught.value.summary
    for (name, (found, cure)), problem in zip(EXPECTED.items(), caught.value.problems, strict=True):
        assert name in problem
        assert found in problem
        assert cure in problem
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_exits_with_1_and_says_it_on_stderr(defective, samssl, recipe_path, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    output = tmp_path / "cases.zarr"
    options = ("--recipe", recipe_path, "--workers", 1)
    finished = samssl("preprocess", defective, "-o", output, *options)
    assert (finished.code, finished.stdout) == (1, "")
    assert finished.stderr.count("\n  - ") == len(EXPECTED)
    assert sorted(tmp_path.rglob("*")) == before
