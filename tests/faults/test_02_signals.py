"""Row 2. A signal is answered with its exit code and a saved state, never with exit code 0."""

import os
import signal
from pathlib import Path

import pytest

from samssl_cli.errors import Interrupted

CODES = {signal.SIGUSR1: 85, signal.SIGTERM: 143, signal.SIGINT: 130}
FEW_STEPS = ("--set", "train_ssl.checkpoint_every=1000")


def part(output):
    return output.with_name(output.name + ".part")


@pytest.mark.parametrize("signum", CODES, ids=lambda signum: signum.name)
def test_row_02_a_training_stops_with_its_state_and_continues_to_the_same_bytes(
    samssl, loop, command, tmp_path, hashes, signum
):
    steps = ("--steps", 40, *FEW_STEPS)
    output = tmp_path / "specialist.zarr"
    arguments = command("train-ssl", loop.out, output, *steps)
    # The plan is written when the first step is about to be taken; no state is saved by then.
    stopped = samssl(*arguments, after_path=part(output), signum=signum)
    assert stopped.code == CODES[signum]
    assert f"stopped by {signum.name}; the state is saved" in stopped.stderr
    assert stopped.stdout == ""
    assert not output.exists()
    assert list(tmp_path.glob("specialist.zarr.progress/step-*"))
    continued = samssl(*arguments)
    assert continued.code == 0
    assert "resumed after step" in continued.stderr
    whole = tmp_path / "whole/specialist.zarr"
    samssl(*command("train-ssl", loop.out, whole, *steps))
    assert hashes(output) == hashes(whole)


@pytest.mark.parametrize(
    ("stage", "more"),
    [
        ("preprocess", ("--workers", 1)),
        ("preprocess", ("--workers", 2)),
        ("prompt", ()),
        ("sam-label", ()),
        ("evaluate", ()),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_row_02_a_stage_of_cases_stops_between_two_and_continues(
    samssl, loop, command, output_of, tmp_path, hashes, stage, more
):
    output = tmp_path / f"{output_of[stage]}.zarr"
    arguments = command(stage, loop.out, output, *more)
    stopped = samssl(*arguments, after_path=part(output), signum=signal.SIGUSR1)
    assert stopped.code == 85, stopped.stderr
    continued = samssl(*arguments)
    assert continued.code == 0, continued.stderr
    assert hashes(output) == hashes(loop.out / output.name)


def test_row_02_a_signal_while_the_data_are_checked_leaves_nothing(samssl, loop, command, tmp_path):
    output = tmp_path / "out/cases.zarr"
    stopped = samssl(*command("preprocess", loop.out, output), after_s=0.0, signum=signal.SIGUSR1)
    assert stopped.code in (85, -signal.SIGUSR1)  # the latter: before the program's first line
    assert not output.parent.exists()


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM)],
    ids=["once", "several"],
)
def test_row_02_signals_while_a_state_is_being_written(
    loop, tmp_path, hashes, monkeypatch, signals
):
    """The state that is half on the disk is finished; the first of several signals decides."""
    again, fsync, pending = loop.linked(tmp_path, "cases"), os.fsync, list(signals)

    def interrupted(descriptor):
        if ".progress" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            while pending:
                os.kill(os.getpid(), pending.pop(0))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(Interrupted) as caught:
        again.train()
    assert caught.value.exit_code == CODES[signals[0]]
    states = {path.name for path in (tmp_path / "specialist.zarr.progress").iterdir()}
    assert "step-00000002" in states  # of checkpoint_every = 2; the next look at signals came later
    again.train()
    assert any("resumed after step" in note for note in again.notes)
    assert hashes(again.path("specialist")) == hashes(loop.path("specialist"))


def test_row_02_a_signal_while_the_artifact_is_sealed(loop, tmp_path, hashes, monkeypatch):
    """Too late to stop: the artifact is whole, and the run still does not end with 0."""
    again, utime = loop.linked(tmp_path, "cases"), os.utime

    def interrupted(path, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGUSR1)
        utime(path, *args, **kwargs)

    monkeypatch.setattr(os, "utime", interrupted)
    with pytest.raises(Interrupted):
        again.train()
    assert hashes(again.path("specialist")) == hashes(loop.path("specialist"))
