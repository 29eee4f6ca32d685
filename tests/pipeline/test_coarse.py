"""A specialist that was trained at coarser voxels prompts and is scored on finer cases."""

import shutil

import h5py
import numpy as np
import pytest
import zarr
from scipy import ndimage

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.artifacts.scores import Scores
from samssl_cli.inference.grid import to_grid
from samssl_cli.report.provenance import facts
from samssl_cli.stages.device import pick_device
from samssl_cli.stages.specialist import load_specialist

COARSE = ("preprocess.spacing_mm=[2,2,3]",)  # the phantom's voxels are 1 x 1 x 1.5 mm


@pytest.fixture(scope="module")
def at_2mm(loop, tmp_path_factory):
    """Cases at twice the voxel size, and their specialist; read only."""
    there = loop.beside(out=tmp_path_factory.mktemp("coarse"), overrides=COARSE)
    there.preprocess()
    there.train()
    return there


@pytest.fixture(scope="module")
def coarse(loop, at_2mm, tmp_path_factory):
    """That specialist beside the fine cases, with its prompts for them."""
    out = tmp_path_factory.mktemp("fine")
    (out / "specialist.zarr").symlink_to(at_2mm.path("specialist"))
    fine = loop.linked(out, "cases")
    fine.prompt()
    return fine


def manifest_of(loop, name):
    return read_manifest(loop.path(name))


def test_fine_cases_are_predicted_on_the_grid_of_the_specialist(coarse):
    cases, checkpoint = Cases(coarse.path("cases")), Checkpoint(coarse.path("specialist"))
    specialist = load_specialist(checkpoint, coarse.recipe.inference, pick_device("cpu"))
    prompts = PromptSet(coarse.path("prompts"))
    for name in cases.unlabeled:
        case = cases.read_unlabeled(name)
        assert case.image.shape == (1, 24, 24, 16)
        there = specialist.predict(to_grid(case.image, (12, 12, 8)))
        assert there.shape == (3, 12, 12, 8)
        expected = ndimage.zoom(there, (1, 2, 2, 2), order=1, mode="nearest", grid_mode=True)
        np.testing.assert_allclose(prompts.probability(name), expected, atol=2e-3)
        assert not np.allclose(prompts.probability(name), specialist.predict(case.image), atol=0.02)


def test_they_lie_as_the_images_that_preprocess_would_have_made(coarse, at_2mm):
    there, here = Cases(at_2mm.path("cases")), Cases(coarse.path("cases"))
    for name in here.unlabeled:
        expected = there.read_unlabeled(name).image
        seen = to_grid(here.read_unlabeled(name).image, expected.shape[1:])
        likeness = [
            np.corrcoef(np.roll(seen, n, 1).ravel(), expected.ravel())[0, 1] for n in (-1, 0, 1)
        ]
        assert np.argmax(likeness) == 1
        assert likeness[1] > 0.95


def test_prompts_belong_to_the_fine_cases(coarse):
    prompts = manifest_of(coarse, "prompts")
    assert prompts.plan["inputs"]["cases"] == Cases(coarse.path("cases")).fingerprint
    at = {"voxel_size": [2.0, 2.0, 3.0], "unit": "mm"}
    assert prompts.plan["options"]["predicted_at"] == at
    assert any("these 1 x 1 x 1.5 mm: predictions are made at 2" in one for one in coarse.notes)
    coarse.label()
    coarse.retrain()


def test_prompted_twice_does_nothing(coarse, hashes):
    before = hashes(coarse.out)
    coarse.notes.clear()
    coarse.prompt()
    assert any("up to date" in note for note in coarse.notes)
    assert hashes(coarse.out) == before


def test_a_killed_prompt_goes_on_to_the_same_bytes(coarse, tmp_path, hashes, samssl, recipe_path):
    output = tmp_path / "prompts.zarr"
    words = ["prompt", coarse.path("cases"), coarse.path("specialist"), "-o", output]
    words += ["--recipe", recipe_path, "--device", "cpu"]
    first = Cases(coarse.path("cases")).unlabeled[0]
    samssl(*words, after_path=tmp_path / "prompts.zarr.part" / first)
    assert samssl(*words).code == 0
    assert hashes(output) == hashes(coarse.path("prompts"))


def test_no_held_out_mask_is_needed(coarse, tmp_path, hashes):
    blind = coarse.linked(tmp_path, "specialist")
    shutil.copytree(coarse.path("cases"), blind.path("cases"))
    shutil.rmtree(blind.path("cases") / "heldout")
    assert hashes(blind.prompt()) == hashes(coarse.path("prompts"))


def test_its_scores_are_those_of_the_fine_cases(coarse, tmp_path):
    scored = coarse.linked(tmp_path, "cases", "specialist")
    scored.evaluate("specialist")
    scores = manifest_of(scored, "scores")
    assert "predicted_at" in scores.plan["options"]
    told = {fact.name: fact.value for fact in facts(Scores(scored.path("scores")))}
    assert told["predicted at"] == "2 x 2 x 3 mm, brought back to the grid of the cases"
    case = zarr.open_group(scored.path("scores") / "case.phantom_004", mode="r")
    assert sorted(case["prediction"].shape) == [16, 24, 24]  # the file's own axes and voxels


def test_passes_are_noised_and_averaged_on_that_grid(coarse, tmp_path):
    passes = ("prompt.uncertainty=stochastic", "prompt.num_passes=2")
    noisy = coarse.linked(tmp_path, "cases", "specialist", overrides=passes)
    noisy.prompt()
    ours, others = (PromptSet(one.path("prompts")) for one in (noisy, coarse))
    for name in others.names:
        np.testing.assert_array_equal(ours.probability(name), others.probability(name))
    member = zarr.open_group(noisy.path("prompts") / others.names[0], mode="r")
    assert member["uncertainty"].shape == (24, 24, 16)


def test_cases_at_the_size_of_the_specialist_are_planned_as_ever(loop):
    for name in ("prompts", "scores"):
        assert "predicted_at" not in manifest_of(loop, name).plan["options"]


def write_h5(root):
    """Two training cases and one test case in the UA-MT layout, which stores no voxel size."""
    for number, name in enumerate(("a", "b", "t")):
        image = np.random.default_rng(number).normal(size=(20, 18, 16)).astype(np.float32)
        mask = np.zeros(image.shape, np.uint8)
        mask[5:13, 4:12, 4:12] = 1
        (root / name).mkdir(parents=True)
        with h5py.File(root / name / "mri_norm2.h5", "w") as file:
            file["image"], file["label"] = image + 3 * mask, mask
    (root / "train.list").write_text("a\nb\n")
    (root / "test.list").write_text("t\n")
    return root


def test_files_without_a_voxel_size_are_compared_in_their_own_voxels(loop, tmp_path):
    data, half = write_h5(tmp_path / "h5"), ("preprocess.spacing_mm=[2,2,2]",)
    there = loop.beside(data=data, out=tmp_path / "coarse", overrides=half)
    there.preprocess()
    assert not Checkpoint(there.train()).spacing_is_known
    (tmp_path / "fine").mkdir()
    here = there.linked(tmp_path / "fine", "specialist", overrides=())
    here.preprocess()
    at = {"voxel_size": [2.0, 2.0, 2.0], "unit": "file voxels"}
    assert read_manifest(here.prompt()).plan["options"]["predicted_at"] == at
    told = "these 1 file voxels: predictions are made at 2 file voxels and brought back"
    assert any(told in note for note in here.notes)
