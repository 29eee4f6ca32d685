import json

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets import open_dataset

V2 = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "organ": 1},
    "file_ending": ".nii.gz",
    "numTraining": 99,
}
MSD = {"name": "Heart", "modality": {"0": "MRI"}, "labels": {"0": "background", "1": "organ"}}


def save(path, array=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros((2, 2, 2), np.uint8) if array is None else array
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


def write(root, description, *files):
    (root / "dataset.json").write_text(json.dumps(description))
    for file in files:
        save(root / file)
    return root


def test_nnunet_v2(tmp_path):
    description = V2 | {"channel_names": {"0": "T1", "1": "T2"}}
    files = [f"imagesTr/{c}_000{n}.nii.gz" for c in ("b", "a") for n in (1, 0)]
    files += ["labelsTr/a.nii.gz", "imagesTs/t_0000.nii.gz", "imagesTs/t_0001.nii.gz"]
    root = write(tmp_path, description, *files)
    (root / "imagesTr/._a_0000.nii.gz").write_bytes(b"macOS")
    (root / "imagesTr/notes.txt").write_text("not a volume")
    dataset = open_dataset(root)
    assert (dataset.channel_names, dataset.class_names) == (("T1", "T2"), ("background", "organ"))
    assert [(c.name, c.label is not None, c.in_test) for c in dataset.cases] == [
        ("a", True, False),
        ("b", False, False),
        ("t", False, True),
    ]
    assert [path.name for path in dataset.cases[0].images] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    image, grid = dataset.read_image(dataset.cases[0], max_bytes=1000)
    assert (image.shape, grid.shape) == ((2, 2, 2, 2), (2, 2, 2))


def test_msd_with_channels_in_a_fourth_axis(tmp_path):
    root = write(tmp_path, MSD | {"modality": {"0": "T2", "1": "ADC"}}, "labelsTr/case_0001.nii.gz")
    save(root / "imagesTr/case_0001.nii.gz", np.zeros((2, 2, 2, 2), np.float32))  # not a channel
    dataset = open_dataset(root)
    assert (dataset.name, dataset.class_names) == ("Heart", ("background", "organ"))
    case = dataset.cases[0]
    assert case.name == "case_0001"
    assert dataset.read_image(case, max_bytes=1000)[0].shape == (2, 2, 2, 2)
    assert dataset.read_label(case, max_bytes=1000)[0].dtype == np.uint8


def test_nnunet_v1_has_modality_and_channel_files(tmp_path):
    root = write(tmp_path, MSD, "imagesTr/la_001_0000.nii.gz", "labelsTr/la_001.nii.gz")
    assert [case.name for case in open_dataset(root).cases] == ["la_001"]


LAYOUTS = {  # training images and one label, test images, their labels, the names of all cases
    "four digits": (
        ["imagesTr/amos_0001", "labelsTr/amos_0001"],
        ["imagesTs/amos_0002", "imagesTs/amos_0003"],
        ["labelsTs/amos_0002", "labelsTs/amos_0003"],
        ["amos_0001", "amos_0002", "amos_0003"],
    ),
    "channel files": (
        ["imagesTr/la_001_0000", "imagesTr/la_002_0000", "labelsTr/la_001"],
        ["imagesTs/la_003_0000"],
        ["labelsTr/la_002", "labelsTs/la_003"],
        ["la_001", "la_002", "la_003"],
    ),
    "names that end in _0000": (
        ["imagesTr/a_0000", "imagesTr/b_0000", "labelsTr/a_0000"],
        ["imagesTs/c_0000"],
        ["labelsTr/b_0000", "labelsTs/c_0000"],
        ["a_0000", "b_0000", "c_0000"],
    ),
    "four digits without labels": (
        ["imagesTr/amos_0001"],
        ["imagesTs/amos_0002"],
        [],
        ["amos_0001", "amos_0002"],
    ),
    "channel files without labels": (
        ["imagesTr/la_001_0000"],
        ["imagesTs/la_003_0000"],
        ["labelsTs/la_003"],
        ["la_001", "la_003"],
    ),
}


@pytest.mark.parametrize(("training", "test", "held_out", "names"), LAYOUTS.values(), ids=LAYOUTS)
def test_held_out_labels_do_not_change_the_cases(tmp_path, training, test, held_out, names):
    root = write(tmp_path, MSD, *(f"{name}.nii.gz" for name in training + test))
    without = open_dataset(root).cases
    write(root, MSD, *(f"{name}.nii.gz" for name in held_out))
    with_labels = open_dataset(root).cases
    assert [case.name for case in without] == [case.name for case in with_labels] == names
    assert [case.images for case in without] == [case.images for case in with_labels]


def test_a_surplus_channel_of_nnunet_v1_is_named(tmp_path):
    files = ["imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz"]
    with pytest.raises(DataError, match="_0000, _0001, expected _0000 to _0000"):
        open_dataset(write(tmp_path, MSD, *files))


def test_a_stray_list_of_cases_does_not_make_it_h5(tmp_path):
    root = write(tmp_path, V2, "imagesTr/a_0000.nii.gz")
    (root / "train.txt").write_text("a\n")
    assert open_dataset(root).reader == "nifti"


def test_a_grid_costs_the_header_only(tmp_path):
    root = write(tmp_path, V2)
    noise = np.random.default_rng(0).integers(0, 255, (20, 20, 20)).astype(np.uint8)
    image = root / "imagesTr/a_0000.nii.gz"
    save(image, noise)
    image.write_bytes(image.read_bytes()[:-2000])
    dataset = open_dataset(root)
    assert dataset.read_grid(dataset.cases[0], max_bytes=100_000).shape == (20, 20, 20)
    with pytest.raises(DataError, match="cut short"):
        dataset.read_image(dataset.cases[0], max_bytes=100_000)


IMAGE = "imagesTr/a_0000.nii.gz"
DESCRIPTIONS = {
    "no channels": ({"labels": V2["labels"]}, "no channels"),
    "channels from 1": (V2 | {"channel_names": {"1": "MRI"}}, '"channel_names" has the values 1'),
    "no labels": ({"channel_names": {"0": "MRI"}}, "no classes"),
    "regions": (V2 | {"labels": {"background": 0, "whole": [1, 2]}}, '"whole" is a region'),
    "ignore": (V2 | {"labels": {"background": 0, "a": 1, "ignore": 2}}, "ignore label"),
    "gap": (V2 | {"labels": {"background": 0, "organ": 2}}, "values 0, 2, expected 0 to 1"),
    "no zero": (V2 | {"labels": {"a": 1, "b": 2}}, "values 1, 2, expected 0 to 1"),
    "twice": (V2 | {"labels": {"background": 0, "a": 1, "b": 1}}, "value 1 to two classes"),
    "same name": (MSD | {"labels": {"0": "organ", "1": "organ"}}, "each name may occur once"),
    "true": (V2 | {"labels": {"background": 0, "a": True}}, "has value True"),
    "one class": (V2 | {"labels": {"background": 0}}, "lists 1 classes"),
    "ending": (V2 | {"file_ending": ".png"}, r"'\.png', expected \.nii\.gz or \.nii"),
    "file list": (V2 | {"dataset": {"a": {}}}, 'lists its files under "dataset"'),
    "not an object": ([1], "expected a JSON object"),
}


@pytest.mark.parametrize(("description", "message"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_description_that_cannot_be_used(tmp_path, description, message):
    with pytest.raises(DataError, match=message):
        open_dataset(write(tmp_path, description, IMAGE))


FILES = {
    "no images": ([], r"no images \*\.nii\.gz"),
    "other ending": (["imagesTr/a_0000.nii"], r"no images \*\.nii\.gz"),
    "no channel number": (["imagesTr/a.nii.gz"], "rename it to a_0000"),
    "surplus channel": ([IMAGE, "imagesTr/a_0001.nii.gz"], "_0000, _0001, expected _0000 to _0000"),
    "missing channel": (["imagesTr/a_0001.nii.gz"], "channel files _0001"),
    "label only": ([IMAGE, "labelsTr/b.nii.gz"], r"b\.nii\.gz: a label without an image"),
    "both folders": ([IMAGE, "imagesTs/a_0000.nii.gz"], "in imagesTr and in imagesTs"),
    "space": (["imagesTr/a b_0000.nii.gz"], "'a b' is not a usable case name"),
    "long": ([f"imagesTr/{'a' * 129}_0000.nii.gz"], "not a usable case name"),
}


@pytest.mark.parametrize(("files", "message"), FILES.values(), ids=FILES)
def test_files_that_do_not_fit(tmp_path, files, message):
    with pytest.raises(DataError, match=message):
        open_dataset(write(tmp_path, V2, *files))


def test_all_problems_are_listed(tmp_path):
    root = write(tmp_path, V2, "imagesTr/a.nii.gz", "labelsTr/b.nii.gz", "imagesTr/c d_0000.nii.gz")
    with pytest.raises(DataError) as caught:
        open_dataset(root)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b"\xff\xfe", "cannot be read as text"),
        (b" " * 10_000_001, "larger than 10 MB"),
    ],
    ids=["cut short", "nested too deeply", "not text", "too large"],
)
def test_a_hostile_json_is_refused(tmp_path, content, message):
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def test_an_unknown_folder(tmp_path):
    with pytest.raises(DataError, match="no known layout"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        open_dataset(tmp_path / "missing")
