"""A signal is answered with its exit code and a saved state, never with exit code 0."""

import signal

import pytest

CODES = {signal.SIGUSR1: 85, signal.SIGTERM: 143, signal.SIGINT: 130}
FEW_STEPS = ("--set", "train_ssl.checkpoint_every=1000")


def part(output):
    return output.with_name(output.name + ".part")


@pytest.mark.parametrize("signum", CODES, ids=lambda signum: signum.name)
def test_a_training_stops_with_its_state_and_continues_to_the_same_bytes(
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
def test_a_stage_of_cases_stops_between_two_and_continues(
    samssl, loop, command, output_of, tmp_path, hashes, stage, more
):
    output = tmp_path / f"{output_of[stage]}.zarr"
    arguments = command(stage, loop.out, output, *more)
    stopped = samssl(*arguments, after_path=part(output), signum=signal.SIGUSR1)
    assert stopped.code == 85, stopped.stderr
    continued = samssl(*arguments)
    assert continued.code == 0, continued.stderr
    assert hashes(output) == hashes(loop.out / output.name)


def test_a_signal_while_the_data_are_checked_leaves_nothing(samssl, loop, command, tmp_path):
    output = tmp_path / "out/cases.zarr"
    stopped = samssl(*command("preprocess", loop.out, output), after_s=0.0, signum=signal.SIGUSR1)
    assert stopped.code in (85, -signal.SIGUSR1)  # the latter: before the program's first line
    assert not output.parent.exists()
