"""Row 11. Label values that are no class are refused with the file; what tools round is rounded."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.artifacts.cases import Cases
from samssl_cli.errors import DataError

SHAPE = (12, 12, 12)


@pytest.fixture
def with_label(new_loop, tmp_path):
    """Preprocess a data set of one labeled and one unlabeled case; the label has this dtype."""

    def preprocess(label, num_classes=3):
        root = tmp_path / "data"
        for folder in ("imagesTr", "labelsTr"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).normal(100, 9, SHAPE).astype(np.float32)
        for name in "ab":
            image = nib.Nifti1Image(noise, np.eye(4))
            nib.save(image, root / f"imagesTr/{name}_0000.nii.gz")
        nifti = nib.Nifti1Image(label, np.eye(4), dtype=label.dtype)  # int64, too
        nib.save(nifti, root / "labelsTr/a.nii.gz")
        classes = {"background": 0} | {f"class{n}": n for n in range(1, num_classes)}
        description = {"channel_names": {"0": "MRI"}, "labels": classes, "numTraining": 2}
        description["file_ending"] = ".nii.gz"
        (root / "dataset.json").write_text(json.dumps(description))
        loop = new_loop.beside(data=root)
        loop.preprocess()
        return Cases(loop.path("cases")).read_labeled("a").label

    return preprocess


def label_of(*values, dtype=np.uint8):
    """Each value in a slab of its own."""
    label = np.zeros(SHAPE, dtype)
    for number, value in enumerate(values):
        label[2 * number : 2 * number + 2] = value
    return label


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64], ids=lambda d: d.__name__
)
def test_row_11_any_type_of_number_will_do(with_label, dtype):
    np.testing.assert_array_equal(with_label(label_of(1, 2, dtype=dtype)), label_of(1, 2))


def test_row_11_a_float_that_means_an_integer_is_rounded(with_label):
    nearly = label_of(0.9999, 2.0004, dtype=np.float32)
    np.testing.assert_array_equal(with_label(nearly), label_of(1, 2))


WRONG = {
    "one too many": (label_of(1, 2, 3), r"label values 3 in 288 voxels, expected 0 to 2"),
    "several": (label_of(1, 7, 9), r"label values 7, 9 in 576 voxels, expected 0 to 2"),
    "255": (label_of(1, 2, 255), r"label values 255 in 288 voxels"),
    "beyond a byte": (label_of(1, 2, 300, dtype=np.int16), r"label values 300 in 288 voxels"),
    "negative": (label_of(1, -1, dtype=np.int16), r"label values -1 found, expected 0 to 65535"),
    "huge": (label_of(1, 2**40, dtype=np.int64), r"label values 1\.09951e\+12 found"),
    "fraction": (label_of(1, 1.5, dtype=np.float32), r"label values 1\.5 found, expected whole"),
    "NaN": (label_of(1, np.nan, dtype=np.float32), r"label values nan found"),
}


@pytest.mark.parametrize(("label", "told"), WRONG.values(), ids=WRONG)
def test_row_11_a_value_that_is_no_class_is_told_with_the_file(with_label, tmp_path, label, told):
    with pytest.raises(DataError, match=told) as caught:
        with_label(label)
    assert str(tmp_path / "data/labelsTr/a.nii.gz") in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_row_11_a_class_that_no_labeled_case_shows_is_told(with_label, tmp_path):
    missing = r"class 'class2' \(label value 2\) is in none of the labeled cases \(a\)"
    with pytest.raises(DataError, match=missing) as caught:
        with_label(label_of(1, 3), num_classes=5)
    (first, second) = caught.value.problems
    assert re.search(r"class 'class4' \(label value 4\)", second)
    assert "choose others with --labeled" in first
    assert not (tmp_path / "out").exists()
