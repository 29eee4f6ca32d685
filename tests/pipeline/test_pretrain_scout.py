"""`samssl pretrain-scout`: fresh, up to date, stopped and resumed, stale; and into a file."""

import os
import signal

import numpy as np
import pytest
from safetensors.numpy import load_file

from samssl_cli.artifacts.generalist import GeneralistWeights
from samssl_cli.errors import Interrupted, StaleArtifactError, UsageError, WeightsError
from samssl_cli.generalists import scout, scout_weights
from samssl_cli.generalists.scout_weights import identify_scout
from samssl_cli.progress import Silent
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import Recipe, SamLabel, read_recipe
from samssl_cli.stages.asking import load_generalist
from samssl_cli.stages.export import export
from samssl_cli.stages.pretrain_scout import pretrain_scout
from samssl_cli.stages.weights import convert_weights
from samssl_cli.stages.which_generalist import digest_of, which_generalist

TINY = (
    "pretrain_scout.steps=3",
    "pretrain_scout.batch_size=1",
    "pretrain_scout.checkpoint_every=1",
)


@pytest.fixture(scope="module")
def small():
    """Scenes of 32 voxels, in views of 24: a step takes a tenth of a second."""
    from samssl_cli.training import scout_batches

    draw = scout_batches.draw_scene
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scout_batches, "SHAPES", ((24, 24, 24),))
        patch.setattr(scout_batches, "draw_scene", lambda *numbers: draw(*numbers, size=32))
        yield


def run(output, *overrides, seed=0, force=False, progress=None):
    recipe = read_recipe("default", [*TINY, *overrides])
    progress = progress or Silent()
    return pretrain_scout(
        output, recipe=recipe, seed=seed, device="cpu", force=force, progress=progress
    )


@pytest.fixture(scope="module")
def fresh(small, tmp_path_factory):
    return run(tmp_path_factory.mktemp("pretrained") / "scout.zarr")


class AfterTwoSteps(Silent):
    """Progress in the middle of which something happens."""

    def __init__(self, happens):
        self.happens, self.steps, self.notes = happens, 0, []

    def advance(self, detail=None):
        self.steps += 1
        if self.steps == 2:
            self.happens()

    def note(self, message):
        self.notes.append(message)


def test_it_writes_half_precision_weights_that_scout_takes(fresh):
    weights = GeneralistWeights(fresh)
    assert weights.name == "scout"
    assert weights.about["trained_on"] == "procedural scenes"
    assert (weights.about["steps"], weights.about["num_parameters"]) == (3, 2_184_673)
    assert {array.dtype for array in weights.tensors().values()} == {np.dtype(np.float16)}
    assert {name: curve.shape for name, curve in weights.curves().items()} == {
        "dice": (3,),
        "cross-entropy": (3,),
    }
    assert all(np.isfinite(curve).all() for curve in weights.curves().values())
    assert [path.name for path in fresh.parent.iterdir() if path.suffix != ".lock"] == [fresh.name]


def test_run_twice_it_does_nothing(fresh):
    before = {path: path.stat().st_mtime_ns for path in fresh.rglob("*")}
    progress = AfterTwoSteps(lambda: None)
    run(fresh, "pretrain_scout.checkpoint_every=2", progress=progress)  # changes no result
    assert progress.notes == [f"{fresh} is up to date"]
    assert {path: path.stat().st_mtime_ns for path in fresh.rglob("*")} == before


class Killed(BaseException):
    """Stands for a process that ends in the middle of a step."""


def kill():
    raise Killed


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("end", "error"), [(kill, Killed), (terminate, Interrupted)], ids=["killed", "stopped"]
)
def test_resumed_it_ends_with_the_same_bytes(end, error, small, fresh, tmp_path, hashes):
    output = tmp_path / "scout.zarr"
    with pytest.raises(error):
        run(output, progress=AfterTwoSteps(end))
    assert not output.exists()
    progress = AfterTwoSteps(lambda: None)
    run(output, progress=progress)
    assert any(note.startswith("resumed after step") for note in progress.notes)
    assert hashes(output) == hashes(fresh)


@pytest.mark.parametrize(
    ("overrides", "seed", "message"),
    [(("pretrain_scout.steps=4",), 0, "steps"), ((), 1, "seed")],
    ids=["steps", "seed"],
)
def test_another_training_at_the_same_path_is_refused(overrides, seed, message, fresh):
    with pytest.raises(StaleArtifactError, match=message):
        run(fresh, *overrides, seed=seed)


def test_its_weights_become_a_file_bit_for_bit(fresh, tmp_path):
    file, notes = tmp_path / "weights" / "scout.safetensors", AfterTwoSteps(lambda: None)
    assert convert_weights(fresh, file, force=False, progress=notes) == file
    stored = GeneralistWeights(fresh)
    for name, value in load_file(file).items():
        np.testing.assert_array_equal(value, stored.tensors()[name])
    assert load_file(file).keys() == stored.tensors().keys()
    assert identify_scout(file).num_parameters == 2_184_673
    before = file.read_bytes()
    convert_weights(fresh, file, force=False, progress=notes)
    assert notes.notes == [f"{file} is up to date"]
    file.write_bytes(before + b" ")
    with pytest.raises(WeightsError, match=r"was not made from .*--force replaces it"):
        convert_weights(fresh, file, force=False, progress=notes)
    convert_weights(fresh, file, force=True, progress=notes)
    assert file.read_bytes() == before


def test_it_is_asked_from_the_artifact(fresh, monkeypatch, tmp_path):
    file = convert_weights(fresh, tmp_path / "a.safetensors", force=False, progress=Silent())
    monkeypatch.setattr(scout_weights, "SHIPPED_WEIGHTS", file)
    monkeypatch.setattr(scout, "SHIPPED_WEIGHTS", file)
    options = SamLabel(generalist="scout", options={"scout": {"num_flips": 1, "budget": 13824}})
    image = np.random.default_rng(0).normal(size=(1, 24, 24, 24)).astype(np.float32)
    mask = image[0] > 9
    mask[8:16, 8:16, 8:16] = True
    answers = []
    for weights in (fresh, file, None):
        which = which_generalist(Recipe(sam_label=options), weights)
        digest = {} if weights is None else digest_of(which)
        generalist = load_generalist(which, "cpu", digest=digest, embeddings=None)
        volume = generalist.embed(image, (1.0, 1.0, 1.0))
        answers.append(generalist.segment(volume, [Prompt(mask=mask)]).logits)
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])
    which = which_generalist(Recipe(sam_label=options), fresh)
    assert digest_of(which) == {"weights": GeneralistWeights(fresh).fingerprint}


def test_it_holds_no_label_maps_and_is_of_one_generalist(fresh, tmp_path):
    with pytest.raises(UsageError, match=r"weights convert .*scout\.zarr -o FILE\.safetensors"):
        export(fresh, tmp_path / "out", force=False, progress=Silent())
    with pytest.raises(UsageError, match="weights of generalist scout, and sam was asked for"):
        which_generalist(Recipe(sam_label=SamLabel(generalist="sam")), fresh)


@pytest.mark.slow
def test_a_killed_command_ends_as_an_undisturbed_one(samssl, tmp_path, hashes):
    def command(output):
        flags = [word for override in TINY for word in ("--set", override)]
        return "pretrain-scout", "-o", output, "--device", "cpu", *flags

    whole, output = tmp_path / "whole.zarr", tmp_path / "killed.zarr"
    duration_s = samssl(*command(whole)).duration_s
    killed = samssl(*command(output), after_s=0.6 * duration_s)
    assert killed.code == -signal.SIGKILL
    finished = samssl(*command(output))
    assert finished.stdout == f"{output}\n"
    assert hashes(output) == hashes(whole)
