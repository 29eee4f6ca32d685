import json
import sys

import h5py
import numpy as np
import pytest

from samssl_cli.errors import DataError, UsageError
from samssl_cli.volumes.datasets import open_dataset
from samssl_cli.volumes.datasets.check import check_case

MB = 1_000_000


def save(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def volumes(shape=(3, 4, 5)):
    label = np.zeros(shape, np.uint8)
    label[1] = 1
    return {"image": np.random.default_rng(0).normal(size=shape).astype(np.float32), "label": label}


@pytest.mark.parametrize(
    "pattern",
    ["{}/mri_norm2.h5", "2018LA_Seg_Training Set/{}/mri_norm2.h5", "data/{}.h5"],
    ids=["UA-MT", "UA-MT as published", "SSL4MIS"],
)
@pytest.mark.parametrize("ending", [".list", ".txt"])
def test_both_layouts_open_in_list_order(tmp_path, pattern, ending):
    (tmp_path / f"train{ending}").write_text("z9\na1,extra column\n\n")
    (tmp_path / f"test{ending}").write_text("t1\n")
    for name in ("z9", "a1", "t1"):
        save(tmp_path / pattern.format(name), **volumes())
    dataset = open_dataset(tmp_path)
    assert [(c.name, c.in_test) for c in dataset.cases] == [
        ("z9", False),
        ("a1", False),
        ("t1", True),
    ]
    assert "1 mm is assumed" in dataset.notes[0]
    case = dataset.cases[0]
    image, grid = dataset.read_image(case, max_bytes=MB)
    assert (image.shape, image.dtype, grid.spacing_mm) == ((1, 3, 4, 5), np.float32, (1, 1, 1))
    assert dataset.read_grid(case, max_bytes=MB) == grid
    label, _ = dataset.read_label(case, max_bytes=MB)
    assert (label.dtype, label.sum()) == (np.uint8, 20)
    assert check_case(dataset, case, max_bytes=MB) == []


def test_a_description_names_the_classes(tmp_path):
    (tmp_path / "train.list").write_text("a\n")
    save(tmp_path / "data/a.h5", **volumes())
    labels = {"background": 0, "atrium": 1, "wall": 2}
    description = {"channel_names": {"0": "LGE"}, "labels": labels}
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    dataset = open_dataset(tmp_path)
    assert (dataset.channel_names, dataset.class_names) == (("LGE",), tuple(labels))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("../secret\n", "not a usable case name"),
        ("/etc/passwd\n", "not a usable case name"),
        ("a\x00b\n", "not a usable case name"),
        ("a\na\n", "listed twice"),
        ("b\n", "case b has no file"),
        ("\n", "lists are empty"),
    ],
    ids=["outside", "absolute", "NUL", "twice", "no file", "empty"],
)
def test_lists_that_cannot_be_used(tmp_path, names, message):
    (tmp_path / "train.list").write_text(names)
    save(tmp_path / "data/a.h5", **volumes())
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def linked(path):
    save(path, label=volumes()["label"])
    with h5py.File(path, "a") as file:
        file["image"] = h5py.ExternalLink("/etc/passwd", "image")


def cut_short(path):
    save(path, **volumes((16, 16, 16)))
    path.write_bytes(path.read_bytes()[:5000])


DEFECTS = {
    "no image": (lambda path: save(path, label=volumes()["label"]), "no array 'image'"),
    "a link elsewhere": (linked, "no array 'image'"),
    "2-D": (lambda path: save(path, image=np.zeros((3, 4)), label=volumes()["label"]), "3 x 4"),
    "cut short": (cut_short, "not readable as HDF5"),
    "text": (lambda path: path.write_text("text"), "not readable as HDF5"),
    "too large": (lambda path: save(path, **volumes((80, 80, 80))), r"limit is 0\.001 GB"),
    "class 7": (
        lambda path: save(path, image=volumes()["image"], label=volumes()["label"] * 7),
        "label values 7 in 20 voxels",
    ),
}


def test_a_file_without_a_label_is_an_unlabeled_case(tmp_path):
    (tmp_path / "train.list").write_text("a\nb\n")
    (tmp_path / "data").mkdir()
    save(tmp_path / "data/a.h5", **volumes())
    save(tmp_path / "data/b.h5", image=volumes()["image"])
    cases = open_dataset(tmp_path).cases
    assert [case.label for case in cases] == [tmp_path / "data/a.h5", None]


@pytest.mark.parametrize(("damage", "message"), DEFECTS.values(), ids=DEFECTS)
def test_a_damaged_file_is_told_by_check_case(tmp_path, damage, message):
    (tmp_path / "train.list").write_text("a\n")
    (tmp_path / "data").mkdir()
    damage(tmp_path / "data/a.h5")
    dataset = open_dataset(tmp_path)
    problems = check_case(dataset, dataset.cases[0], max_bytes=MB)
    assert any(message.replace("\\", "") in problem for problem in problems), problems


@pytest.mark.parametrize("read", ["read_image", "read_label"])
def test_a_full_memory_is_not_called_a_damaged_file(tmp_path, monkeypatch, read):
    (tmp_path / "train.list").write_text("a\n")
    save(tmp_path / "data/a.h5", **volumes())
    dataset = open_dataset(tmp_path)

    def allocate(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr("samssl_cli.volumes.h5.np.asarray", allocate)
    with pytest.raises(DataError, match=r"a\.h5: not enough memory .* fewer --workers"):
        getattr(dataset, read)(dataset.cases[0], max_bytes=MB)


def test_without_h5py_the_cure_is_named(tmp_path, monkeypatch):
    (tmp_path / "train.list").write_text("a\n")
    save(tmp_path / "data/a.h5", **volumes())
    dataset = open_dataset(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UsageError, match="pip install h5py"):
        dataset.read_image(dataset.cases[0], max_bytes=MB)
