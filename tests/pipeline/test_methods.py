"""Every row of METHODS trains through the commands: a new one is covered by being in the table."""

import signal
from pathlib import Path

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.methods import METHODS

STEPS = 30
# Dropout for those that need it, four levels for those that use several, and two unlabeled patches
# for those that mix them.
NETWORK = ("--set", "network.dropout=0.2", "--set", "network.channels=[4,4,8,8]")


@pytest.fixture
def arguments(recipe_path):
    """The arguments of a training command that writes to `output`."""

    def give(stage: str, *more: object, output: Path, steps: int = STEPS) -> list[object]:
        batch = ("--set", f"{stage.replace('-', '_')}.unlabeled_batch=2")
        common = ("--recipe", recipe_path, "--device", "cpu", "--steps", steps, *NETWORK, *batch)
        return [stage, *more, "-o", output, *common]

    return give


@pytest.fixture
def train(samssl, arguments, tmp_path):
    """Run a training command, and give the checkpoint."""

    def run(stage: str, *more: object) -> Checkpoint:
        output = tmp_path / "trained.zarr"
        finished = samssl(*arguments(stage, *more, output=output))
        assert finished.code == 0, finished.stderr
        return Checkpoint(output)

    return run


def assert_learned(checkpoint: Checkpoint) -> None:
    curves = checkpoint.curves()
    assert all(len(curve) == STEPS for curve in curves.values())
    assert all(np.isfinite(curve).any() for curve in curves.values())
    supervised = curves["supervised"]
    assert supervised[-10:].mean() < 0.9 * supervised[:10].mean()
    assert all(np.isfinite(weights).all() for weights in checkpoint.weights().values())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_the_specialist(method, loop, train):
    checkpoint = train("train-ssl", loop.path("cases"), "--method", method)

    assert_learned(checkpoint)
    terms = checkpoint.curves().keys() - {"supervised"}
    assert bool(terms) == METHODS[method].learns_from_unlabeled
    assert all(np.nanmax(np.abs(checkpoint.curves()[term])) > 0 for term in terms)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_the_student_with_sam(method, loop, train):
    paths = loop.path("cases"), loop.path("pseudo")

    checkpoint = train("retrain", *paths, "--method", method, "--sam-weight", 0.5)

    assert_learned(checkpoint)
    assert (checkpoint.curves()["sam"] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_ends_alike_when_it_is_killed_on_the_way(
    method, samssl, loop, arguments, tmp_path, hashes
):
    more = (loop.path("cases"), loop.path("pseudo"), "--method", method)
    whole, output = tmp_path / "whole" / "a.zarr", tmp_path / "killed" / "a.zarr"
    assert samssl(*arguments("retrain", *more, output=whole, steps=12)).code == 0

    saved = output.with_name("a.zarr.progress") / "step-00000004"
    again = arguments("retrain", *more, output=output, steps=12)
    killed = samssl(*again, after_path=saved)
    assert killed.code == -signal.SIGKILL
    finished = samssl(*again)

    assert finished.code == 0
    assert "resumed after step" in finished.stderr
    assert hashes(output) == hashes(whole)
