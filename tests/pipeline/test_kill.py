"""SIGKILL at any moment of any stage: the same command again ends with the same bytes."""

import random
import signal

import pytest

STAGES = ("preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate")


def leftovers(folder):
    """What lies in the folder but an artifact, its tables, and the lock beside it."""
    kept = {".zarr", ".csv", ".json", ".lock"}
    return [path.name for path in folder.iterdir() if path.suffix not in kept]


def kill(samssl, arguments, output, moment_s):
    """Kill a run at the moment; tell how far it had come, or None when it was done before."""
    killed = samssl(*arguments, after_s=moment_s)
    if killed.code == 0:
        return None
    assert killed.code == -signal.SIGKILL, killed.stderr
    part = output.with_name(output.name + ".part")
    return "sealed" if output.exists() else "begun" if part.exists() else "before"


def finish(samssl, arguments, output):
    finished = samssl(*arguments)
    assert finished.code == 0, finished.stderr
    assert leftovers(output.parent) == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_ends_as_an_undisturbed_one(
    stage, samssl, loop, command, output_of, tmp_path, hashes
):
    name = f"{output_of[stage]}.zarr"
    whole, output = tmp_path / "whole" / name, tmp_path / "killed" / name
    duration_s = samssl(*command(stage, loop.out, whole)).duration_s
    assert hashes(whole) == hashes(loop.out / name)  # in another process, and by command
    rng = random.Random(stage)
    arguments = command(stage, loop.out, output)
    for reach in (0.5, 0.7):  # the second finds what the first left
        kill(samssl, arguments, output, rng.uniform(0.2, reach) * duration_s)
    finish(samssl, arguments, output)
    assert hashes(output) == hashes(whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "workers"), [("preprocess", 2), *((stage, 1) for stage in STAGES)]
)
def test_ten_random_moments(
    stage, workers, samssl, loop, command, output_of, tmp_path, hashes, capsys
):
    """Ten runs killed once each, and one run killed ten times before it may end."""
    more = ("--workers", workers) if stage == "preprocess" else ()
    name = f"{output_of[stage]}.zarr"
    duration_s = samssl(*command(stage, loop.out, tmp_path / name, *more)).duration_s
    rng = random.Random(f"2026 {stage}")
    seen, again = [], []
    while len(seen) < 10:
        output = tmp_path / f"{rng.random()}" / name
        arguments = command(stage, loop.out, output, *more)
        state = kill(samssl, arguments, output, rng.uniform(0, duration_s))
        if state is not None:
            finish(samssl, arguments, output)
            assert hashes(output) == hashes(loop.out / name)
            seen.append(state)
    output = tmp_path / "in a row" / name
    arguments = command(stage, loop.out, output, *more)
    while len(again) < 10 and "sealed" not in again and None not in again:
        again.append(kill(samssl, arguments, output, rng.uniform(0.1, 0.5) * duration_s))
    finish(samssl, arguments, output)
    assert hashes(output) == hashes(loop.out / name)
    with capsys.disabled():
        counts = [
            {str(what): states.count(what) for what in dict.fromkeys(states)}
            for states in (seen, again)
        ]
        print(f"\n{stage} x{workers}: {duration_s:.2f} s; once {counts[0]}; in a row {counts[1]}")  # noqa: T201  (the figures we report)
