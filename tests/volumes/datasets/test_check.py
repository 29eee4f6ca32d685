import nibabel as nib
import numpy as np
import pytest

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.check import check_case
from samssl_cli.volumes.datasets.dataset import Dataset, RawCase

MB = 1_000_000
ZEROS = np.zeros((3, 4, 5), np.float32)


def save(path, array, affine=None):
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


@pytest.fixture
def dataset(tmp_path):
    """One case with two channels and a label."""
    images = tuple(save(tmp_path / f"a_000{n}.nii.gz", ZEROS) for n in range(2))
    label = save(tmp_path / "a.nii.gz", ZEROS.astype(np.uint8))
    case = RawCase("a", images, label, in_test=False)
    classes = ("background", "organ")
    return Dataset(tmp_path, "tiny", ("T1", "T2"), classes, (case,), "nifti")


def check(dataset):
    return check_case(dataset, dataset.cases[0], max_bytes=MB)


def test_a_sound_case_has_no_problems(dataset):
    assert check(dataset) == []


def test_float_noise_in_the_affine_is_forgiven(dataset):
    save(dataset.cases[0].label, ZEROS.astype(np.uint8), np.eye(4) + 1e-6)
    assert check(dataset) == []


MOVED = np.eye(4) + np.array([[0, 0, 0, 1.0]] + [[0] * 4] * 3)
DEFECTS = {
    "label on another grid": ("a", np.uint8(ZEROS), MOVED, "not on the grid of its image"),
    "label of another shape": ("a", np.zeros((3, 4, 6), np.uint8), None, "3 x 4 x 5 against"),
    "channel on another grid": ("a_0001", ZEROS, MOVED, "not on the grid of a_0000.nii.gz"),
    "unknown class": ("a", np.uint8(ZEROS + 2), None, "label values 2 in 60 voxels"),
    "NaN": ("a_0000", ZEROS * np.float32(np.nan), None, "60 of 60 voxels are NaN"),
    "too many channels": ("a_0001", np.zeros((3, 4, 5, 2), np.float32), None, "3 channels"),
}


@pytest.mark.parametrize(("name", "array", "affine", "phrase"), DEFECTS.values(), ids=DEFECTS)
def test_each_defect_is_told(dataset, name, array, affine, phrase):
    path = save(dataset.root / f"{name}.nii.gz", array, affine)
    (problem,) = check(dataset)
    assert phrase in problem
    assert str(path.parent) in problem


def test_all_defects_are_told_at_once(dataset):
    (dataset.root / "a_0000.nii.gz").write_bytes(b"")
    (dataset.root / "a_0001.nii.gz").write_text("text")
    save(dataset.root / "a.nii.gz", np.uint8(ZEROS + 9))
    problems = check(dataset)
    assert len(problems) == 3
    assert all("\n" not in problem for problem in problems)


def test_reading_refuses_what_the_check_tells(dataset):
    save(dataset.root / "a_0001.nii.gz", ZEROS, MOVED)
    save(dataset.root / "a.nii.gz", np.uint8(ZEROS + 9))
    with pytest.raises(DataError, match="register and resample"):
        dataset.read_image(dataset.cases[0], max_bytes=MB)
    with pytest.raises(DataError, match="label values 9"):
        dataset.read_label(dataset.cases[0], max_bytes=MB)


def test_a_case_without_label_is_sound_but_has_none_to_read(dataset):
    case = RawCase("u", dataset.cases[0].images, None, in_test=False)
    assert check_case(dataset, case, max_bytes=MB) == []
    with pytest.raises(DataError, match="has no label file"):
        dataset.read_label(case, max_bytes=MB)
