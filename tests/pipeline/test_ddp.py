"""Several processes that train together: the curve of one, one artifact, one end for all."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.errors import Interrupted, UsageError
from samssl_cli.methods.method import Method
from samssl_cli.progress import Silent
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.train_ssl import train_ssl

STEPS = 20


@pytest.fixture
def train(new_loop, tmp_path):
    """Train on the cases of the phantom, and give the path of the checkpoint."""
    cases = new_loop.preprocess()

    def run(name="specialist", *, method="mean-teacher", **changes):
        told = {"steps": STEPS, "checkpoint_every": 5, "method": f'"{method}"'} | changes
        words = [f"train_ssl.{key}={value}" for key, value in told.items()]
        recipe = read_recipe(str(new_loop.recipe_path), words)
        return train_ssl(
            cases,
            tmp_path / f"{name}.zarr",
            recipe=recipe,
            seed=0,
            device="cpu",
            force=False,
            progress=Silent(),
            volumes_gb=1.0,
        )

    return run


def curves(path):
    return Checkpoint(path).curves()


def assert_same_curves(a, b):
    assert set(a) == set(b)
    for name, curve in a.items():
        assert len(curve) == STEPS
        np.testing.assert_allclose(curve, b[name], atol=1e-4, err_msg=name)


@pytest.mark.parametrize("method", ["supervised", "mean-teacher"])
def test_two_processes_have_the_curve_of_one(method, train, on_ranks):
    one = train("one", method=method)
    two = on_ranks(2, lambda: train("two", method=method)).answers()
    assert two[0] == two[1] != one
    assert_same_curves(curves(one), curves(two[0]))
    assert [path.suffix for path in sorted(one.parent.glob("two*"))] == [".zarr"]
    assert on_ranks(2, lambda: train("two", method=method)).answers() == two  # up to date


def test_three_processes_share_a_batch_of_three(train, on_ranks):
    batch = {"labeled_batch": 1, "unlabeled_batch": 2}
    one = train("one", **batch)
    three = on_ranks(3, lambda: train("three", **batch)).answers()
    assert_same_curves(curves(one), curves(three[0]))


def wait_for(condition):
    for _ in range(12000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def states(folder):
    return list(folder.glob("specialist.zarr.progress/step-*"))


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_row_23_a_signal_to_one_stops_all_after_the_same_step(signum, train, on_ranks, tmp_path):
    one = train("one")
    ranks = on_ranks(2, train)
    wait_for(lambda: states(tmp_path))
    os.kill(ranks.pids[1], signum)
    for name, code, _ in ranks.answers():
        assert (name, code) == ("Interrupted", Interrupted(signum).exit_code)
    assert_same_curves(curves(one), curves(train()))  # resumed by one process


def test_row_23_killed_runs_go_on_with_other_numbers_of_processes(train, on_ranks, tmp_path):
    one = train("one")
    ranks = on_ranks(2, train)
    wait_for(lambda: states(tmp_path))
    for pid in ranks.pids:
        os.kill(pid, signal.SIGKILL)
    assert ranks.answers() == [-signal.SIGKILL] * 2
    ranks = on_ranks(1, train)
    wait_for(lambda: max(int(path.name[-8:]) for path in states(tmp_path)) >= 10)
    os.kill(ranks.pids[0], signal.SIGKILL)
    ranks.answers()
    resumed = on_ranks(2, train).answers()
    assert_same_curves(curves(one), curves(resumed[0]))


@pytest.mark.parametrize("rank", [0, 1])
def test_row_23_a_dead_process_ends_the_run(rank, train, on_ranks, tmp_path):
    ranks = on_ranks(2, train)
    wait_for(lambda: states(tmp_path))
    os.kill(ranks.pids[rank], signal.SIGKILL)
    answers = ranks.answers()
    assert answers[rank] == -signal.SIGKILL
    name, code, message = answers[1 - rank]
    assert (name, code) == ("TrainingError", 1)
    assert "is gone or does not answer" in message
    assert train().exists()


def test_row_23_a_silent_process_ends_the_run(train, on_ranks, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMSSL_RANK_TIMEOUT_S", "5")
    ranks = on_ranks(2, train)
    wait_for(lambda: states(tmp_path))
    os.kill(ranks.pids[1], signal.SIGSTOP)
    assert ranks.answer(0)[0] == "TrainingError"
    os.kill(ranks.pids[1], signal.SIGKILL)
    assert ranks.answer(1) == -signal.SIGKILL


def test_a_loss_that_is_not_finite_on_one_process_stops_all(train, on_ranks, monkeypatch):
    def poisoned(self, batch):
        whole = images(self, batch)
        return whole * float("nan") if os.environ.get("RANK") == "1" else whole

    images = Method.images
    monkeypatch.setattr(Method, "images", poisoned)
    for name, code, message in on_ranks(2, train).answers():
        assert (name, code) == ("TrainingError", 1)
        assert "not finite in 5 steps up to step 4" in message


def test_what_cannot_be_shared_is_refused(train, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match=r"mc-net takes the student apart.*mean-teacher"):
        train(method="mc-net")
    with pytest.raises(UsageError, match="not where they meet"):
        train()
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(UsageError, match="RANK=2 and WORLD_SIZE=2"):
        train()


SIGNALS = "--signals-to-handle=SIGTERM,SIGINT,SIGUSR1"


class Torchrun:
    """`torchrun`, with two processes that train on the cases of a folder."""

    def __init__(self, loop, folder):
        self.folder, self._log = folder, folder / "torchrun.log"
        run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", SIGNALS]
        words = ["train-ssl", loop.path("cases"), "-o", folder / "specialist.zarr"]
        recipe = ["--recipe", loop.recipe_path, "--set", "train_ssl.checkpoint_every=5"]
        self._command = [*run, "-m", "samssl_cli", *words, *recipe, "--device", "cpu", "--steps"]

    def start(self, steps):
        with self._log.open("w") as log:
            return subprocess.Popen([*map(str, self._command), str(steps)], stdout=log, stderr=log)

    def told(self):
        return self._log.read_text()


@pytest.fixture
def torchrun(new_loop, tmp_path):
    new_loop.preprocess()
    return Torchrun(new_loop, tmp_path)


@pytest.mark.slow
def test_torchrun_has_the_curve_of_one(torchrun, train, tmp_path):
    assert torchrun.start(STEPS).wait() == 0, torchrun.told()
    assert torchrun.told().count("specialist.zarr\n") == 2  # the note, and the path on stdout
    assert_same_curves(curves(train("one")), curves(tmp_path / "specialist.zarr"))


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1])
def test_torchrun_passes_a_signal_on(signum, torchrun, tmp_path):
    run = torchrun.start(100_000)
    wait_for(lambda: states(tmp_path))
    run.send_signal(signum)
    assert run.wait() == 1
    assert torchrun.told().count(f"stopped by {signum.name}; the state is saved") == 2


@pytest.mark.slow
def test_torchrun_ends_when_a_process_dies(torchrun, tmp_path):
    run = torchrun.start(100_000)
    wait_for(lambda: states(tmp_path))
    children = subprocess.run(["ps", "--ppid", str(run.pid), "-o", "pid="], stdout=-1, check=True)
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)
    assert run.wait() == 1
    assert states(tmp_path)
