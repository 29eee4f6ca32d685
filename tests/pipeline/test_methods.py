"""Every row of METHODS trains through the commands: a new one is covered by being in the table."""

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.methods import METHODS

STEPS = 30
# Dropout for those that need it, four levels for those that use several, and, below, two unlabeled
# patches for those that mix them.
NETWORK = ("--set", "network.dropout=0.2", "--set", "network.channels=[4,4,8,8]")
TRAINING = ("--device", "cpu", "--steps", STEPS, *NETWORK)


@pytest.fixture
def train(samssl, recipe_path, tmp_path):
    """Run a training command, and give the checkpoint."""

    def run(stage: str, *arguments: object) -> Checkpoint:
        output = tmp_path / "trained.zarr"
        batch = ("--set", f"{stage.replace('-', '_')}.unlabeled_batch=2")
        finished = samssl(
            stage, *arguments, "-o", output, "--recipe", recipe_path, *TRAINING, *batch
        )
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
