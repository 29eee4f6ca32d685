"""The job scripts on a real Slurm, with a stand-in for samssl: what stops a job, and what then."""

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


def test_row_03_a_cancelled_job_stays_cancelled(cluster, tmp_path):
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, "--gres=none", SECONDS_OF_WORK="60")
    working(cluster, output)
    cluster.run("scancel", job)
    assert cluster.wait_for(job) == "CANCELLED"
    assert cluster.calls() == ["train-ssl specialist.zarr 143"]
    time.sleep(2)
    assert cluster.state(job) == "CANCELLED"


TWO = ("--gres=none", "--ntasks=2", "--ntasks-per-node=2")


def test_the_processes_of_a_training_know_each_other(cluster, tmp_path):
    program = tmp_path / "my program"
    program.write_text('#!/bin/sh\necho "$RANK $WORLD_SIZE $LOCAL_RANK $MASTER_PORT" >> "$CALLS"\n')
    program.chmod(0o755)
    job = cluster.sbatch("train-ssl", tmp_path / "specialist.zarr", *TWO, SAMSSL=str(program))
    assert cluster.wait_for(job) == "COMPLETED"
    port = 20000 + int(job) % 10000
    assert sorted(cluster.calls()) == [f"0 2 0 {port}", f"1 2 1 {port}"]


def test_the_code_of_a_process_that_fails_is_the_job_s(cluster, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit $((RANK * 7))\n")
    program.chmod(0o755)
    job = cluster.sbatch("train-ssl", tmp_path / "specialist.zarr", *TWO, SAMSSL=str(program))
    assert cluster.wait_for(job) == "FAILED"
    assert cluster.shown(job)["ExitCode"] == "7:0"


def test_a_signal_reaches_every_process_and_the_job_goes_on(cluster, tmp_path):
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, *TWO, SECONDS_OF_WORK="4")
    working(cluster, output)
    cluster.run("scancel", "--signal=USR1", "--batch", job)
    assert cluster.wait_for(job) == "COMPLETED"
    assert cluster.restarts(job) == 1
    codes = [line.split()[-1] for line in cluster.calls()]
    assert codes == ["85", "85", "0", "0"]


def test_cancelled_processes_stay_cancelled(cluster, tmp_path):
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, *TWO, SECONDS_OF_WORK="60")
    working(cluster, output)
    cluster.run("scancel", job)
    assert cluster.wait_for(job) == "CANCELLED"
    assert [line.split()[-1] for line in cluster.calls()] == ["143", "143"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signal", "seconds", "code"),
    [(SOON, "70", "85"), ("--signal=B:CONT@1", "100", "143")],
    ids=["told", "not-told"],
)
def test_row_03_a_time_limit_is_no_end(cluster, tmp_path, signal, seconds, code):
    """USR1 tells of the limit; where none comes, or too late, TERM comes with the limit itself."""
    output = tmp_path / "specialist.zarr"
    limits = ("--gres=none", "--time=1", signal)
    job = cluster.sbatch("train-ssl", output, *limits, SECONDS_OF_WORK=seconds)
    assert cluster.wait_for(job, timeout_s=400) == "COMPLETED"
    assert cluster.restarts(job) >= 1
    *before, last = (call.split()[-1] for call in cluster.calls())
    assert last == "0"
    assert set(before) == {code}


@pytest.mark.slow
@pytest.mark.parametrize("partition", ["batch", "abrupt"])
def test_row_03_a_preempted_job_goes_on_where_it_was(cluster, tmp_path, partition):
    output = tmp_path / "specialist.zarr"
    where = ("--gres=none", f"--partition={partition}")
    job = cluster.sbatch("train-ssl", output, *where, SECONDS_OF_WORK="8")
    working(cluster, output, steps=5)
    urgent = ("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    cluster.run(*urgent)
    assert cluster.wait_for(job, timeout_s=120) == "COMPLETED"
    assert cluster.restarts(job) == 1
    stopped, done = (call.split()[-1] for call in cluster.calls())
    assert stopped in {"85"} if partition == "batch" else {"85", "143"}
    assert done == "0"


@pytest.mark.slow
def test_those_behind_a_requeued_job_wait_for_its_end(cluster, tmp_path):
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, "--gres=none", SECONDS_OF_WORK="4")
    behind = ("--gres=none", f"--dependency=afterok:{job}", "--kill-on-invalid-dep=yes")
    student = cluster.sbatch("retrain", tmp_path / "student.zarr", *behind)
    working(cluster, output)
    cluster.run("scancel", "--batch", "--signal=USR1", job)  # as Slurm does before the time limit
    assert cluster.wait_for(student) == "COMPLETED"
    assert [call.split()[-1] for call in cluster.calls()] == ["85", "0", "0"]
    log = (tmp_path / f"train-ssl_{job}.log").read_text()
    assert "restart 0" in log
    assert "back into the queue" in log
    assert "restart 1" in log


@pytest.mark.slow
def test_row_03_a_job_cancelled_while_it_waits_for_its_next_go_stays_cancelled(cluster, tmp_path):
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, "--gres=none", SECONDS_OF_WORK="60")
    working(cluster, output)
    cluster.run("scancel", "--batch", "--signal=USR1", job)
    cluster.wait_for(job, "PENDING")
    cluster.run("scancel", job)
    time.sleep(8)  # longer than a requeued job is held
    assert cluster.state(job) == "CANCELLED"


@pytest.mark.slow
def test_row_03_a_job_cancelled_while_it_saves_stays_cancelled(cluster, tmp_path):
    """It ends with 85, as USR1 came first, but must not be requeued."""
    output = tmp_path / "specialist.zarr"
    job = cluster.sbatch("train-ssl", output, "--gres=none", SECONDS_OF_WORK="60", SAVING_S="1")
    working(cluster, output)
    cluster.run("scancel", "--batch", "--signal=USR1", job)
    time.sleep(0.3)
    cluster.run("scancel", job)
    assert cluster.wait_for(job) == "CANCELLED"
    time.sleep(8)
    assert cluster.state(job) == "CANCELLED"
    assert cluster.calls() == ["train-ssl specialist.zarr 85"]


@pytest.mark.slow
def test_a_job_that_never_gets_anywhere_fails_at_last(cluster, tmp_path):
    output = tmp_path / "specialist.zarr"
    never = {"SECONDS_OF_WORK": "60", "SAVING": "no", "SAMSSL_MAX_STALLED": "1"}
    job = cluster.sbatch("train-ssl", output, "--gres=none", **never)
    for restart in range(3):  # the second go still finds a new folder
        cluster.wait_for(job, "RUNNING")
        while (
            cluster.restarts(job) < restart
            or not output.with_name("specialist.zarr.progress").exists()
        ):
            time.sleep(0.2)
        time.sleep(0.5)
        cluster.run("scancel", "--batch", "--signal=USR1", job)
        cluster.wait_for(job, "PENDING")
    assert cluster.wait_for(job) == "FAILED"
    assert "stopped 2 times in a row" in (tmp_path / f"train-ssl_{job}.log").read_text()
    assert not output.with_name("specialist.zarr.restarts").exists()
