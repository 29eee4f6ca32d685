"""The atlas in the loop: shown the labeled cases of the run, and no other label."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import UsageError
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.stages.sam_label import sam_label

QUICK = (
    "sam_label.options.atlas.affine_iterations=5",
    "sam_label.options.atlas.deformable_iterations=2",
)
ASKED = ("sam_label.generalist=atlas", *QUICK)
CALIBRATED = (*ASKED, "sam_label.gate=calibrated", "gate.num_draws=4", "gate.voxels_per_object=200")


def test_it_labels_and_is_asked_beside_a_prediction(loop, tmp_path):
    run = loop.linked(tmp_path, "cases", "prompts", "specialist", overrides=ASKED)
    labels = PseudoLabels(run.label())
    assert [one["name"] for one in labels.generalists] == ["atlas"]
    assert "weights" not in read_manifest(labels.path, "labels").plan["inputs"]
    scores = Scores(run.evaluate("specialist"))
    assert [one["name"] for one in scores.about["asked_beside"]] == ["atlas"]
    assert scores.about["exposure"][0]["verdict"] == "untrained"


def test_no_held_out_mask_moves_it(loop, phantom, tmp_path, hashes):
    first = loop.linked(tmp_path, "cases", "prompts", overrides=ASKED)
    data = shutil.copytree(phantom, tmp_path / "data" / phantom.name)
    rng = np.random.default_rng(0)
    for path in (*data.glob("labelsTr/*_001.nii.gz"), *data.glob("labelsTs/*.nii.gz")):
        old = nib.load(path)
        mask = rng.integers(0, 3, old.shape).astype(np.uint8)
        nib.save(nib.Nifti1Image(mask, None, old.header), path)
    second = loop.beside(data=data, out=tmp_path / "second", overrides=ASKED)
    second.preprocess()
    assert hashes(second.path("cases") / "heldout") != hashes(loop.path("cases") / "heldout")
    shutil.copytree(loop.path("prompts"), second.path("prompts"))
    assert hashes(first.label()) == hashes(second.label())


def test_a_single_labeled_case_cannot_calibrate_the_gate(loop, tmp_path):
    run = loop.linked(tmp_path, "cases", "prompts", overrides=CALIBRATED)
    with pytest.raises(UsageError, match=r"looks at the labeled cases; .* sam_label.gate=thresh"):
        run.label()


def test_of_two_labeled_cases_each_is_left_out_in_turn(loop, tmp_path):
    run = loop.beside(out=tmp_path, labeled=2, overrides=CALIBRATED)
    for stage in (run.preprocess, run.train, run.prompt, run.label):
        stage()
    assert read_manifest(run.path("pseudo"), "labels").about["gate"]["is_calibrated"]


def test_it_refines_where_the_labeled_cases_are_and_nowhere_else(samssl, loop, phantom, tmp_path):
    flags = ("--recipe", loop.recipe_path, "--device", "cpu", "--refine", "--generalist", "atlas")
    options = [word for option in QUICK for word in ("--set", option)]
    inputs = (loop.path("cases"), loop.path("specialist"), "-o", tmp_path / "scores.zarr")
    finished = samssl("evaluate", *inputs, *flags, *options)
    assert finished.code == 0, finished.stderr
    assert Scores(tmp_path / "scores.zarr").about["refined_by"][0]["name"] == "atlas"
    paths = (loop.path("specialist"), phantom / "imagesTs", "-o", tmp_path / "out")
    finished = samssl("predict", *paths, *flags)
    assert finished.code == 2
    assert "looks at the labeled cases, and a checkpoint has none" in finished.stderr
    assert not (tmp_path / "out").exists()


def test_a_second_run_registers_nothing_and_labels_the_same(loop, tmp_path, hashes):
    run = loop.linked(tmp_path, "cases", "prompts", overrides=ASKED)
    plain = run.label()
    found = []
    for name in ("first", "second"):
        cache = EmbeddingCache(tmp_path / "embeddings", max_gb=1)
        labels = sam_label(
            run.path("cases"),
            run.path("prompts"),
            tmp_path / f"{name}.zarr",
            weights=None,
            device="cpu",
            embeddings=cache,
            **run._common(force=False),
        )
        assert hashes(labels) == hashes(plain)
        found.append((cache.num_computed, cache.num_found))
    num_cases = len(PseudoLabels(plain).names)
    assert found == [(num_cases, 0), (0, num_cases)]


def test_it_has_nothing_to_adapt(samssl, loop, tmp_path):
    paths = (loop.path("cases"), "-o", tmp_path / "g.zarr")
    finished = samssl("adapt", *paths, "--generalist", "atlas")
    assert finished.code == 2
    assert "atlas has no weights that could be adapted" in finished.stderr
