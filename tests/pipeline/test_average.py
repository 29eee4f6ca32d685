"""`average_decay` in train-ssl and retrain: the last checkpoint is a mean."""

import signal

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.errors import RecipeError
from samssl_cli.recipe import read_recipe


def test_the_checkpoint_predicts_with_the_mean_and_hands_it_on(loop, tmp_path):
    overrides = ("train_ssl.average_decay=0.9", "retrain.average_decay=0.9", "network.norm=batch")
    copy = loop.linked(tmp_path, "cases", "pseudo", overrides=overrides)
    trained = Checkpoint(copy.train())
    assert trained.predictor == "average"
    assert trained.weights().keys() == trained.weights("teacher").keys()
    for name in ("teacher", "student"):
        with pytest.raises(AssertionError):
            np.testing.assert_equal(trained.weights(), trained.weights(name))

    began = copy.beside(init=trained.path, overrides=(*overrides, "retrain.learning_rate=1e-30"))
    student = Checkpoint(began.retrain())
    for name, tensor in trained.weights().items():
        if "running" not in name and "num_batches" not in name:
            np.testing.assert_allclose(student.weights()[name], tensor, rtol=1e-6)
    began.evaluate()


def test_without_it_there_is_no_mean(loop):
    for name in ("specialist", "student"):
        assert "average" not in read_manifest(loop.path(name)).members


@pytest.mark.slow
def test_a_stopped_training_goes_on_with_its_mean(samssl, loop, command, tmp_path, hashes):
    sets = ("average_decay=0.9", "checkpoint_every=1000")
    words = [word for one in sets for word in ("--set", f"train_ssl.{one}")]
    more = ("--method", "cps", "--steps", 12, *words)
    output, whole = tmp_path / "specialist.zarr", tmp_path / "whole" / "specialist.zarr"
    arguments = command("train-ssl", loop.out, output, *more)
    begun = output.with_name(output.name + ".part")
    stopped = samssl(*arguments, after_path=begun, signum=signal.SIGUSR1)
    assert stopped.code == 85, stopped.stderr
    assert "resumed after step" in samssl(*arguments).stderr
    samssl(*command("train-ssl", loop.out, whole, *more))
    assert hashes(output) == hashes(whole)


@pytest.mark.parametrize("decay", ["1", "-0.1"])
def test_a_mean_that_never_moves_is_refused(decay):
    with pytest.raises(RecipeError, match="average_decay"):
        read_recipe("quick", [f"train_ssl.average_decay={decay}"])
