"""Data sets of other kinds than the phantom: the whole loop runs on them."""

import json

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.scores import Scores


def write(path, voxels, spacing_mm):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.diag([*spacing_mm, 1.0])), path)


def two_channels_in_ct(root, *, spacings_mm, border=0):
    """Three classes as nested boxes, in CT numbers and in a second channel; air around them."""
    for number, spacing_mm in enumerate(spacings_mm):
        rng = np.random.default_rng(number)
        name, suffix = f"case{number}", "Ts" if number == len(spacings_mm) - 1 else "Tr"
        label = np.zeros((22, 20, 18), np.uint8)
        label[5:17, 5:15, 5:13] = 1
        label[8:12, 8:12, 7:10] = 2
        ct = (np.array([-80, 60, 300])[label] + rng.normal(0, 10, label.shape)).astype(np.int16)
        second = (100 + 50 * label + rng.normal(0, 5, label.shape)).astype(np.float32)
        if border:
            inside = np.zeros(label.shape, bool)
            inside[border:-border, border:-border, border:-border] = True
            ct, second = np.where(inside, ct, 0).astype(np.int16), np.where(inside, second, 0)
        write(root / f"images{suffix}/{name}_0000.nii.gz", ct, spacing_mm)
        write(root / f"images{suffix}/{name}_0001.nii.gz", second.astype(np.float32), spacing_mm)
        write(root / f"labels{suffix}/{name}.nii.gz", label, spacing_mm)
    description = {
        "channel_names": {"0": "CT", "1": "T1"},
        "labels": {"background": 0, "liver": 1, "tumour": 2},
        "numTraining": len(spacings_mm) - 1,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(description))
    return root


SPACINGS_MM = [(0.8, 0.8, 2.0), (1.0, 1.0, 3.0), (1.2, 0.9, 2.5), (0.7, 0.7, 5.0)]


def test_two_channels_several_classes_ct_crop_and_anisotropic_spacing(new_loop, tmp_path):
    data = two_channels_in_ct(tmp_path / "data", spacings_mm=SPACINGS_MM, border=2)
    loop = new_loop.beside(
        data=data, out=tmp_path, overrides=("preprocess.crop=nonzero", "train_ssl.steps=3")
    ).run()
    cases = Cases(loop.path("cases"))
    assert cases.facts.channel_names == ("CT", "T1")
    # The median of the training cases, per axis; the test case has no say.
    assert cases.facts.preprocessing["spacing_mm"] == pytest.approx([1.0, 0.9, 2.5])
    window, second = cases.facts.preprocessing["ct_windows"]
    assert second is None
    assert 30 < window["low"] < window["mean"] < window["high"] < 340
    image = cases.read_labeled("case0").image
    # 18 x 16 x 14 voxels inside the border, 0.8 / 1.0, 0.8 / 0.9 and 2.0 / 2.5 as many.
    assert image.shape == (2, 14, 14, 11)
    assert image.dtype == np.float16
    assert np.isfinite(image.astype(np.float32)).all()
    scores = Scores(loop.path("scores"))
    assert scores.names == ("case3",)
    assert scores.read("case3").prediction.shape == (22, 20, 18)
    assert Checkpoint(loop.path("student")).facts.class_names == ("background", "liver", "tumour")


def test_kept_spacing_keeps_the_voxels(new_loop, tmp_path):
    data = two_channels_in_ct(tmp_path / "data", spacings_mm=SPACINGS_MM)
    loop = new_loop.beside(data=data, out=tmp_path, overrides=("preprocess.spacing_mm=keep",))
    loop.preprocess()
    cases = Cases(loop.path("cases"))
    assert {cases.read_unlabeled(name).image.shape for name in cases.names} == {(2, 22, 20, 18)}


def test_workers_make_no_difference(loop, new_loop, hashes):
    new_loop.beside(num_workers=2).preprocess()
    assert hashes(new_loop.path("cases")) == hashes(loop.path("cases"))


def test_a_split_and_named_labeled_cases(new_loop, phantom, tmp_path):
    named = new_loop.beside(labeled=("phantom_001",), split=phantom / "splits.json")
    named.preprocess()
    cases = Cases(named.path("cases"))
    assert cases.labeled == ("phantom_001",)
    assert cases.unlabeled == ("phantom_000", "phantom_002", "phantom_003")
    assert cases.test == ("phantom_004", "phantom_005")


@pytest.mark.parametrize("method", ["supervised", "uamt"])
def test_the_other_methods(loop, tmp_path, method):
    overrides = (f"train_ssl.method={method}", "train_ssl.steps=2", "network.dropout=0.2")
    other = loop.linked(tmp_path, "cases", overrides=overrides)
    other.train()
    assert Checkpoint(other.path("specialist")).weights()
