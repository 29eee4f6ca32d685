"""Row 8. An input or an option that changed is noticed, with the reason; nothing is ever mixed."""

import json
import resource
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.artifacts.manifest import METADATA, digest, group_metadata
from samssl_cli.errors import StaleArtifactError


def change_one_voxel(path):
    image = nib.load(path)
    voxels = np.asarray(image.dataobj).copy()
    voxels[0, 0, 0] = 1
    nib.save(nib.Nifti1Image(voxels, None, image.header), path)


def test_row_08_a_changed_label_is_told_by_every_stage_behind_it(loop, phantom, tmp_path):
    data = shutil.copytree(phantom, tmp_path / "data")
    changed = loop.beside(data=data, out=shutil.copytree(loop.out, tmp_path / "out"))
    changed.preprocess()
    assert changed.notes[-1].endswith("is up to date")  # other files, the same bytes
    change_one_voxel(data / "labelsTr/phantom_000.nii.gz")
    with pytest.raises(StaleArtifactError, match=r"inputs\.visible: \w{12} -> \w{12}\n.*--force"):
        changed.preprocess()
    changed.preprocess(force=True)
    with pytest.raises(StaleArtifactError, match=r"inputs\.cases: \w{12} -> \w{12}"):
        changed.train()
    with pytest.raises(StaleArtifactError, match=r"prompts\.zarr was made from other cases"):
        changed.label()
    changed.train(force=True)
    with pytest.raises(StaleArtifactError, match=r"inputs\.specialist: \w{12} -> \w{12}"):
        changed.prompt()


def test_row_08_a_changed_option_is_told_by_name(loop):
    for override, stage, told in (
        (
            "preprocess.crop=nonzero",
            "preprocess",
            r'options\.preprocess\.crop: "none" -> "nonzero"',
        ),
        ("train_ssl.steps=9", "train", r"options\.train_ssl\.steps: 8 -> 9"),
        ("prompt.num_sets=3", "prompt", r"options\.prompt\.num_sets: 2 -> 3"),
        ("sam_label.min_agreement=0.5", "label", r"options\.sam_label\.min_agreement: 0.0 -> 0.5"),
        ("retrain.sam_weight=0.3", "retrain", r"options\.retrain\.sam_weight: .* -> 0.3"),
        ("evaluate.tolerance=3", "evaluate", r"options\.evaluate\.tolerance: .* -> 3"),
    ):
        with pytest.raises(StaleArtifactError, match=told):
            getattr(loop.beside(overrides=(override,)), stage)()


def test_row_08_an_artifact_of_another_layout_names_the_cure(loop, copied):
    folder = copied("specialist")
    path = folder / "specialist.zarr" / METADATA
    stored = json.loads(path.read_bytes())["attributes"]["samssl"]
    del stored["manifest_sha256"]
    stored["schema"] += 1
    path.write_bytes(group_metadata({"samssl": {**stored, "manifest_sha256": digest(stored)}}))
    (folder / "cases.zarr").symlink_to(loop.path("cases"))
    older = loop.beside(out=folder)
    with pytest.raises(StaleArtifactError, match=r"has layout 2, this samssl reads 1; CHANGELOG"):
        older.prompt()
    older.train(force=True)
    assert older.path("specialist").exists()


def test_row_08_the_same_again_is_no_work(loop):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["prompt", loop.path("cases"), loop.path("specialist"), "-o", loop.path("prompts")]
    again = subprocess.run(
        [sys.executable, "-m", "samssl_cli", *words, "--recipe", loop.recipe_path],
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert again.returncode == 0
    assert "is up to date" in again.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2  # s of one core
