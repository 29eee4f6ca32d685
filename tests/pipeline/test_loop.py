"""The six stages, one after the other."""

import json

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.errors import DeviceError, StaleArtifactError, UsageError

NAMES = ("cases", "specialist", "prompts", "pseudo", "student", "scores")


def state(root):
    """Everything about the files of a folder that a run could change."""
    return {
        path: (path.lstat().st_mtime_ns, path.lstat().st_ino)
        for path in root.rglob("*")
        if not path.name.startswith(".")
    }


def test_each_stage_leaves_its_artifact_and_nothing_else(loop):
    found = {path.name for path in loop.out.iterdir() if not path.name.startswith(".")}
    assert found == {f"{name}.zarr" for name in NAMES} | {"scores.csv", "scores.json"}


def test_a_second_run_does_nothing(loop):
    before = state(loop.out)
    again = loop.beside()
    for stage in again.stages():
        stage()
    assert again.notes == [f"{loop.path(name)} is up to date" for name in NAMES]
    assert state(loop.out) == before


def test_the_same_seed_gives_the_same_bytes(loop, new_loop, hashes):
    new_loop.to_student()
    for name in NAMES[:-1]:
        assert hashes(new_loop.path(name)) == hashes(loop.path(name)), name


def test_inputs_are_chained_by_fingerprint(loop):
    plans = {name: read_manifest(loop.path(name)) for name in NAMES}
    visible = read_manifest(loop.path("cases") / "visible").fingerprint
    assert plans["specialist"].plan["inputs"] == {"cases": visible}
    assert plans["prompts"].plan["inputs"] == {
        "cases": visible,
        "specialist": plans["specialist"].fingerprint,
    }
    assert plans["student"].plan["inputs"]["pseudo"] == plans["pseudo"].fingerprint
    assert plans["scores"].plan["inputs"]["cases"] == plans["cases"].fingerprint


def test_an_option_of_a_later_stage_leaves_the_earlier_ones_alone(loop):
    changed = loop.beside(overrides=("sam_label.specialist_weight=0.3",))
    for stage in (changed.preprocess, changed.train, changed.prompt):
        stage()
    assert all("up to date" in note for note in changed.notes)
    with pytest.raises(StaleArtifactError, match=r"specialist_weight: 0\.5 -> 0\.3\n.*--force"):
        changed.label()
    changed.retrain()  # its own input, pseudo.zarr, is still the old one


def test_the_seed_and_the_inputs_are_part_of_the_plan(loop):
    with pytest.raises(StaleArtifactError, match="seed: 0 -> 5"):
        loop.train(seed=5)
    with pytest.raises(StaleArtifactError, match=r"inputs\.specialist"):
        loop.prompt(of="student")


def test_pseudo_labels_are_probabilities_and_verdicts(loop):
    labels = PseudoLabels(loop.path("pseudo"))
    assert labels.names == PromptSet(loop.path("prompts")).names
    for name in labels.names:
        pseudo = labels.read(name)
        total = pseudo.confidence.astype(np.float32).sum(axis=0)
        np.testing.assert_allclose(total, 1, atol=5e-3)  # float16
        assert pseudo.label.shape == pseudo.acceptance.shape == pseudo.confidence.shape[1:]
        assert set(np.unique(pseudo.acceptance)) <= {0, 1}


def test_a_second_round_starts_from_the_student(loop, tmp_path, hashes):
    second = loop.linked(tmp_path, "cases", "specialist", "student")
    second.prompt(of="student")
    second.label()
    (tmp_path / "student.zarr").unlink()
    second = second.beside(init=loop.path("specialist"))
    second.retrain()
    inputs = read_manifest(second.path("student")).plan["inputs"]
    assert inputs["init"] == read_manifest(loop.path("specialist")).fingerprint
    assert hashes(second.path("student")) != hashes(loop.path("student"))


def test_init_begins_with_the_weights_that_the_checkpoint_predicts_with(loop, tmp_path):
    from samssl_cli.artifacts.cases import Cases
    from samssl_cli.stages.fitting import build_method

    init = Checkpoint(loop.path("specialist"))
    method = build_method(
        Cases(loop.path("cases")),
        loop.recipe.with_norm(init.norm),
        loop.recipe.retrain,
        seed=0,
        device="cpu",
        init=init,
    )
    for name, tensor in method.student.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), init.weights()[name])


def test_init_of_another_network_is_refused(loop, tmp_path):
    changes = {"init": loop.path("specialist"), "overrides": ("network.channels=[4, 8, 8]",)}
    other = loop.linked(tmp_path, "cases", "pseudo", **changes)
    with pytest.raises(UsageError, match="holds another network"):
        other.retrain()
    assert not other.path("student").exists()


def test_a_patch_that_the_network_cannot_halve_is_refused(loop, tmp_path):
    odd = loop.linked(tmp_path, "cases", overrides=("train_ssl.patch_size=[15, 16, 16]",))
    with pytest.raises(UsageError, match=r"\[15, 16, 16\].*multiple"):
        odd.train()


def test_a_device_that_is_not_there_is_refused():
    from samssl_cli.stages.device import pick_device

    for device in ("cuda:99", "gpu"):
        with pytest.raises(DeviceError, match=device):
            pick_device(device)


def test_a_case_where_the_specialist_finds_nothing_goes_through_the_loop(loop, tmp_path):
    # No island is as large as the volume: nothing is found anywhere.
    overrides = ("prompt.min_component_voxels=100000",)
    blind = loop.linked(tmp_path, "cases", "specialist", overrides=overrides)
    for stage in blind.stages()[2:]:
        stage()
    prompts = PromptSet(blind.path("prompts"))
    about = read_manifest(blind.path("prompts")).about
    assert about["cases_without"] == list(prompts.names)
    assert all(prompts.objects(name) == () for name in prompts.names)
    assert any("found nothing in 3 of 3 cases" in note for note in blind.notes)
    assert read_manifest(blind.path("pseudo")).about["num_objects"] == 0


def test_the_manifest_tells_how_a_number_came_about(loop):
    about = json.loads((loop.out / "scores.json").read_text())["about"]
    assert about["label_budget"] == {
        "training": 1,
        "selection": 0,
        "calibration": 0,
        "unlabeled": 3,
    }
    assert about["checkpoint_rule"] == "last"
