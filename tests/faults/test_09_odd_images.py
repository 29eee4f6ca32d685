"""Row 9. Images at the edge of what is an image go through the whole loop, or are refused."""

import json

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import DataError

NAMES = ("constant", "zero", "one_voxel", "small", "anisotropic")


def write(path, voxels, spacing_mm=(1.0, 1.0, 1.0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.diag([*spacing_mm, 1.0])), path)


def body(shape):
    """A bright box in noise, and its label."""
    label = np.zeros(shape, np.uint8)
    label[tuple(slice(n // 4, n // 4 + max(1, n // 2)) for n in shape)] = 1
    noise = np.random.default_rng(0).normal(0, 5, shape)
    return (100 + 80 * label + noise).astype(np.float32), label


@pytest.fixture
def odd(tmp_path):
    """An ordinary labeled case, one with a label of one voxel, odd unlabeled and odd test cases."""
    root = tmp_path / "data"
    image, label = body((20, 18, 16))
    dot = np.zeros_like(label)
    dot[10, 9, 8] = 1
    for name, given in (("a_normal", label), ("b_dot", dot)):
        write(root / f"imagesTr/{name}_0000.nii.gz", image)
        write(root / f"labelsTr/{name}.nii.gz", given)
    for folder in ("Tr", "Ts"):
        images = {
            "constant": (np.full((20, 18, 16), 7, np.float32), (1, 1, 1)),
            "zero": (np.zeros((20, 18, 16), np.float32), (1, 1, 1)),
            "one_voxel": (np.full((1, 1, 1), 3, np.float32), (1, 1, 1)),
            "small": (body((5, 4, 3))[0], (1, 1, 1)),
            "anisotropic": (body((24, 22, 5))[0], (0.3, 0.3, 5.0)),
        }
        for name, (voxels, spacing_mm) in images.items():
            write(root / f"images{folder}/{folder}_{name}_0000.nii.gz", voxels, spacing_mm)
            if folder == "Ts":
                empty = np.zeros(voxels.shape, np.uint8)
                write(root / f"labelsTs/{folder}_{name}.nii.gz", empty, spacing_mm)
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "organ": 1},
        "numTraining": 7,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(description))
    return root


@pytest.mark.parametrize(
    "generalist", ["region-growing", pytest.param("none", marks=pytest.mark.slow)]
)
def test_row_09_the_whole_loop_on_odd_images(new_loop, odd, tmp_path, generalist):
    """Warnings are errors in these tests: a division by zero would be one."""
    overrides = (
        "train_ssl.steps=4",
        "retrain.steps=2",
        "prompt.min_component_voxels=1",
        f"sam_label.generalist={generalist}",
    )
    if generalist == "none":
        overrides += ("preprocess.spacing_mm=keep", "preprocess.crop=nonzero")
    loop = new_loop.beside(data=odd, out=tmp_path, labeled=2, overrides=overrides).run()
    cases, pseudo = Cases(loop.path("cases")), PseudoLabels(loop.path("pseudo"))
    assert cases.labeled == ("a_normal", "b_dot")
    for name in cases.unlabeled:
        image = cases.read_unlabeled(name).image
        assert np.isfinite(image).all()
        assert pseudo.read(name).label.shape == image.shape[1:]
    scores = Scores(loop.path("scores"))
    shapes = {name: scores.read(name).prediction.shape for name in scores.names}
    assert shapes["Ts_one_voxel"] == (1, 1, 1)
    assert shapes["Ts_small"] == (5, 4, 3)
    assert shapes["Ts_anisotropic"] == (24, 22, 5)
    assert "NaN" not in (tmp_path / "scores.json").read_text()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_row_09_a_voxel_that_is_no_number_is_refused(new_loop, odd, tmp_path, value):
    voxels, _ = body((20, 18, 16))
    voxels[3, 4, 5] = value
    write(odd / "imagesTr/b_dot_0000.nii.gz", voxels)
    loop = new_loop.beside(data=odd, out=tmp_path / "out", labeled=2)
    with pytest.raises(DataError, match=r"b_dot_0000.*: 1 of 5760 voxels are NaN or infinite"):
        loop.preprocess()
    assert not loop.out.exists()
