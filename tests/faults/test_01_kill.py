"""Row 1. SIGKILL at any moment of any stage: the same command again ends with the same bytes.

The long measurement is seeded, and may be made shorter or longer:

    SAMSSL_KILLS=5 SAMSSL_KILL_SEED=7 python -m pytest -m slow -k row_01_random tests/faults
"""

import os
import random
import shutil
import signal
import time
from collections import Counter

import pytest

STAGES = ("preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate")
NUM_KILLS = int(os.environ.get("SAMSSL_KILLS", "200"))
SEED = int(os.environ.get("SAMSSL_KILL_SEED", "2026"))


def orphans(folder):
    """What lies in the folder but an artifact, its tables, and the lock beside it."""
    kept = {".zarr", ".csv", ".json", ".lock"}
    beside = [path.name for path in folder.iterdir() if path.suffix not in kept]
    return beside + [path.name for path in folder.rglob("*.partial")]


def state_after_kill(killed, output):
    """How far a killed run had come, or None when it was done before."""
    if killed.code == 0:
        return None
    assert killed.code == -signal.SIGKILL, killed.stderr
    part = output.with_name(output.name + ".part")
    return "sealed" if output.exists() else "begun" if part.exists() else "before"


def kill(samssl, arguments, output, moment_s):
    """Kill a run at the moment; gives `state_after_kill`."""
    return state_after_kill(samssl(*arguments, after_s=moment_s), output)


def finish(samssl, arguments, output):
    finished = samssl(*arguments)
    assert finished.code == 0, finished.stderr
    assert orphans(output.parent) == []


def tell(capsys, line):
    with capsys.disabled():
        print(f"\n{line}")  # noqa: T201  (the figures of docs/reliability.md)


@pytest.mark.parametrize("stage", STAGES)
def test_row_01_a_killed_stage_ends_as_an_undisturbed_one(
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
@pytest.mark.timeout(7200)
def test_row_01_random_kills_over_all_stages(
    samssl, loop, command, output_of, tmp_path, hashes, capsys
):
    """Stage after stage, each run killed once, at a moment drawn evenly from its whole duration."""
    whole = {stage: hashes(loop.path(output_of[stage])) for stage in STAGES}
    durations_s = {
        stage: samssl(*command(stage, loop.out, tmp_path / f"{output_of[stage]}.zarr")).duration_s
        for stage in STAGES
    }
    rng, found, states, started = random.Random(SEED), Counter(), Counter(), time.monotonic()
    while found["kills"] < NUM_KILLS:
        stage = STAGES[found["kills"] % len(STAGES)]
        output = tmp_path / "killed" / f"{output_of[stage]}.zarr"
        arguments = command(stage, loop.out, output)
        killed = samssl(*arguments, after_s=rng.uniform(0, durations_s[stage]))
        state = state_after_kill(killed, output)
        if state is None:
            durations_s[stage] = killed.duration_s  # the machine has become faster
        else:
            states[state] += 1
            found["kills"] += 1
            found["recoveries"] += samssl(*arguments).code == 0
            found["differences"] += not output.exists() or hashes(output) != whole[stage]
            found["orphans"] += len(orphans(output.parent))
        shutil.rmtree(output.parent, ignore_errors=True)
    tell(
        capsys,
        f"{NUM_KILLS} kills with seed {SEED} in {time.monotonic() - started:.0f} s, "
        f"{dict(states)}: {found['recoveries']} recoveries, {found['differences']} differences, "
        f"{found['orphans']} orphans",
    )
    assert found["recoveries"] == NUM_KILLS
    assert found["differences"] == found["orphans"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "workers"), [("preprocess", 2), *((stage, 1) for stage in STAGES)]
)
def test_row_01_a_run_killed_ten_times_before_it_may_end(
    stage, workers, samssl, loop, command, output_of, tmp_path, hashes, capsys
):
    more = ("--workers", workers) if stage == "preprocess" else ()
    name = f"{output_of[stage]}.zarr"
    duration_s = samssl(*command(stage, loop.out, tmp_path / name, *more)).duration_s
    rng, states = random.Random(f"{SEED} {stage}"), []
    output = tmp_path / "in a row" / name
    arguments = command(stage, loop.out, output, *more)
    while len(states) < 10 and "sealed" not in states and None not in states:
        states.append(kill(samssl, arguments, output, rng.uniform(0.1, 0.5) * duration_s))
    finish(samssl, arguments, output)
    assert hashes(output) == hashes(loop.out / name)
    tell(capsys, f"{stage} x{workers}: {duration_s:.2f} s, killed in a row {dict(Counter(states))}")
