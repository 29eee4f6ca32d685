"""Methods with branches in the loop: what they leave is a plain network, and they resume."""

import signal

import numpy as np
import pytest
import torch

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.errors import RecipeError
from samssl_cli.methods import METHODS
from samssl_cli.networks import NETWORKS, NetworkEntry

BRANCHED = [name for name in METHODS if METHODS[name].needs_decoder]


@pytest.mark.parametrize("method", [*BRANCHED, "ad-mt"])
def test_the_student_predicts_alone_after_train_ssl_and_retrain(method, loop, tmp_path):
    from samssl_cli.stages.specialist import load_specialist

    overrides = [
        f"{stage}.{key}"
        for stage in ("train_ssl", "retrain")
        for key in (f"method={method}", "steps=2", "unlabeled_batch=2")
    ]
    other = loop.linked(tmp_path, "cases", "pseudo", overrides=tuple(overrides))
    other.train()
    other.retrain()

    trained, student = (Checkpoint(other.path(name)) for name in ("specialist", "student"))
    assert "sam" not in trained.curves()
    assert (student.curves()["sam"] > 0).all()
    for checkpoint in (trained, student):
        assert all(np.isfinite(curve).all() for curve in checkpoint.curves().values())
        specialist = load_specialist(checkpoint, other.recipe.inference, torch.device("cpu"))
        assert specialist.predict(np.zeros((1, 16, 16, 16), np.float32)).shape == (3, 16, 16, 16)
    assert trained.predictor == ("teacher" if method == "ad-mt" else "student")


@pytest.mark.parametrize("method", ["mc-net", "ad-mt"])
def test_branches_and_turns_resume_to_the_same_bytes(
    method, samssl, loop, command, tmp_path, hashes
):
    more = ("--method", method, "--steps", 12, "--set", "train_ssl.checkpoint_every=1000")
    output, whole = tmp_path / "specialist.zarr", tmp_path / "whole" / "specialist.zarr"
    arguments = command("train-ssl", loop.out, output, *more)
    begun = output.with_name(output.name + ".part")
    stopped = samssl(*arguments, after_path=begun, signum=signal.SIGUSR1)
    assert stopped.code == 85, stopped.stderr
    continued = samssl(*arguments)
    assert "resumed after step" in continued.stderr
    samssl(*command("train-ssl", loop.out, whole, *more))
    assert hashes(output) == hashes(whole)


def test_init_gives_the_student_its_weights_and_the_branches_new_ones(loop, tmp_path):
    overrides = ("retrain.method=mc-net", "retrain.steps=1", "network.norm=batch")
    other = loop.linked(tmp_path, "cases", "pseudo", overrides=overrides)
    other = other.beside(init=loop.path("specialist"))
    other.retrain()
    assert Checkpoint(other.path("student")).weights("branches")


def test_a_network_without_a_decoder_is_refused_before_anything_is_built(
    loop, tmp_path, monkeypatch
):
    monkeypatch.setitem(NETWORKS, "flat", NetworkEntry("nowhere:flat", "no decoder", "none"))
    overrides = ("train_ssl.method=urpc", "network.name=flat")
    other = loop.linked(tmp_path, "cases", overrides=overrides)
    with pytest.raises(RecipeError, match="method urpc needs a network with an encoder"):
        other.train()
    assert not other.path("specialist").exists()
