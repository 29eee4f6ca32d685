"""Row 14. A name in a list or a folder never leads out of it, whatever is in the name."""

import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets import open_dataset
from samssl_cli.volumes.datasets.dataset import CASE_NAME

HOSTILE = [
    "../../x", "/etc/passwd", "a\0b", "x" * 300, ".", "..", "", " ", "a/b", "a\\b", "a\nb", "\x1b2",
    "CON", "nul.txt", "Com1", "-rf", "~root", "a b", "名前", "a:b", "%2e%2e", "a\u202eb",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_row_14_a_hostile_name_is_no_case_name(name):
    assert not CASE_NAME.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["a", "Patient-07", "la_0001", "x.y", "console", "comet", "nullity"]
)
def test_row_14_an_ordinary_name_is_one(name):
    assert CASE_NAME.fullmatch(name)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.strip()], ids=repr)
def test_row_14_a_list_of_h5_files_cannot_name_another_file(tmp_path, name):
    root = tmp_path / "deep/data"
    (root / "data").mkdir(parents=True)
    (tmp_path / "x.h5").write_bytes(b"")
    (root / "train.list").write_bytes(f"{name}\n".encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match=r"not a usable case name|no file|cannot be read"):
        open_dataset(root)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of one case."""
    root = tmp_path_factory.mktemp("names")
    (root / "imagesTr").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2)), np.eye(4)), root / "imagesTr/a_0000.nii.gz")
    return root


def describe(root, **changes):
    description = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "organ": 1}}
    description |= {"numTraining": 1, "file_ending": ".nii.gz", **changes}
    (root / "dataset.json").write_text(json.dumps(description))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.one_of(st.sampled_from(HOSTILE), st.text(), st.integers(), st.lists(st.text())))
@pytest.mark.parametrize("key", ["file_ending", "name", "training", "dataset", "imagesTr"])
def test_row_14_no_word_of_dataset_json_leads_elsewhere(folder, key, value):
    """The paths are those that the folder lists; a description can only be refused."""
    describe(folder, **{key: value})
    try:
        dataset = open_dataset(folder)
    except DataError:
        return
    paths = [path for case in dataset.cases for path in case.images]
    assert paths == [folder / "imagesTr/a_0000.nii.gz"]
    assert dataset.cases[0].name == "a"


@pytest.mark.parametrize("name", ["a b", "CON", "-rf", "名前", "a\nb"], ids=repr)
def test_row_14_a_file_with_a_hostile_name_is_told(tmp_path, name):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / f"imagesTr/{name}_0000.nii.gz").touch()
    describe(tmp_path)
    with pytest.raises(DataError, match="is not a usable case name; rename it"):
        open_dataset(tmp_path)
