"""The job scripts on a real Slurm, with a stand-in for samssl: what stops a job, and what follows."""

import time
from pathlib import Path

import pytest

SOON = "--signal=B:USR1@1"  # Slurm looks at the time limits every 30 s, and may be 60 s early


def working(cluster, output: Path, *, steps: int = 1) -> None:
    """Wait until a job has saved so many steps."""
    end = time.monotonic() + 60
    while not (output.with_name(f"{output.name}.progress") / str(steps)).exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_stage_that_fails_takes_those_behind_it_along(cluster, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    jobs = cluster.submit(f"DATA={data}", f"OUT={out}", "DEVICE=cpu", FAILING="prompt")
    cluster.wait_for(jobs["evaluate.specialist"])
    states = {name: cluster.wait_for(job) for name, job in jobs.items()}
    failed, gone = {"prompt.round-1"}, {"sam-label.round-1", "retrain.round-1", "evaluate.round-1"}
    assert {name for name, state in states.items() if state == "FAILED"} == failed
    assert {name for name, state in states.items() if state == "CANCELLED"} == gone
    assert all(states[name] == "COMPLETED" for name in states.keys() - failed - gone)

    # Once it is cured, the same command goes on; what there is says so and ends.
    jobs = cluster.submit(f"DATA={data}", f"OUT={out}", "DEVICE=cpu")
    assert {cluster.wait_for(job) for job in jobs.values()} == {"COMPLETED"}


def test_a_cancelled_job_stays_cancelled(cluster, tmp_path):
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, "--gres=none", SECONDS_OF_WORK="60")
    working(cluster, output)
    cluster.run("scancel", job)
    assert cluster.wait_for(job) == "CANCELLED"
    assert cluster.calls() == ["train-ssl specialist.zarr 143"]
    time.sleep(2)
    assert cluster.state(job) == "CANCELLED"


@pytest.mark.slow
@pytest.mark.parametrize("lead", [SOON, "--signal=B:HUP@1"], ids=["told", "not-told"])
def test_a_time_limit_is_no_end(cluster, tmp_path, lead):
    """Told of the limit by USR1; or, for whatever reason, not: then TERM comes with the limit."""
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, "--gres=none", "--time=1", lead, SECONDS_OF_WORK="100")
    assert cluster.wait_for(job, timeout_s=300) == "COMPLETED"
    assert cluster.restarts(job) >= 1
    stopped = "85" if lead == SOON else "143"
    *before, last = (call.split()[-1] for call in cluster.calls())
    assert last == "0"
    assert set(before) == {stopped}
