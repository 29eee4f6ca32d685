"""pipelines/slurm/stage.sh: a job script as Slurm runs it, with a stand-in for Slurm itself."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "pipelines" / "slurm"

# Tells the state in $STATE; notes a requeue, and ends the job then, as Slurm does.
SCONTROL = """#!/bin/sh
case "$*" in
  "-o show job $JOB") echo "JobId=7 JobName=a $STATE Restarts=0" ;;
  "requeue $JOB") echo requeue >> "$CALLS"; [ -z "$REFUSED" ] || exit 1; kill -TERM -$PPID ;;
  *) exit 9 ;;
esac
"""

RUNNING = "JobState=RUNNING Reason=None"
CANCELLED = "JobState=COMPLETING Reason=None"
TIMED_OUT = "JobState=COMPLETING Reason=TimeLimit"


@dataclass
class Node:
    """Runs the job script of a training in a folder."""

    folder: Path
    restart: int = 0

    @property
    def output(self) -> Path:
        return self.folder / "my specialist.zarr"

    def start(self, *, state: str = RUNNING, **more: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "SAMSSL": str(HERE / "stand_in.sh"),
            "SAMSSL_SLURM": str(SCRIPTS),
            "SLURM_JOB_ID": "7",
            "JOB": "7",
            "CALLS": str(self.folder / "calls"),
            "STATE": state,
            "SECONDS_OF_WORK": "30",
        }
        if self.restart:
            environment["SLURM_RESTART_COUNT"] = str(self.restart)
        return subprocess.Popen(
            ["bash", str(SCRIPTS / "train-ssl.sh"), "my cases.zarr", "-o", str(self.output)],
            env=environment | more,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def stop(self, *signals: signal.Signals, state: str = RUNNING, **more: str) -> tuple[int, str]:
        """Run it, send signals to the script alone once it has saved something; code and stderr."""
        job = self.start(state=state, **more)
        saved = {path.name for path in self.saved.glob("*")}
        while not {path.name for path in self.saved.glob("*")} - saved:
            assert job.poll() is None, job.stderr and job.stderr.read()
            time.sleep(0.02)
        for number in signals:
            job.send_signal(number)
        told = job.communicate(timeout=20)[1]
        return job.returncode, told

    @property
    def saved(self) -> Path:
        return self.output.with_name(f"{self.output.name}.progress")

    @property
    def stalled(self) -> Path:
        return self.output.with_name(f"{self.output.name}.restarts")

    def calls(self) -> list[str]:
        return [line.split()[-1] for line in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "scontrol").write_text(SCONTROL)
    (tmp_path / "bin" / "scontrol").chmod(0o755)
    return Node(tmp_path)


USR1, TERM = signal.SIGUSR1, signal.SIGTERM


@pytest.mark.parametrize(
    ("signals", "state", "calls", "code"),
    [
        ([USR1], RUNNING, ["85", "requeue"], 85),
        ([USR1, USR1], RUNNING, ["85", "requeue"], 85),
        ([USR1], TIMED_OUT, ["85", "requeue"], 85),
        ([TERM], TIMED_OUT, ["143", "requeue"], 143),
        ([TERM], RUNNING, ["143"], 143),
        ([TERM, TERM], CANCELLED, ["143"], 143),
        ([USR1], CANCELLED, ["85"], 143),
    ],
)
def test_what_becomes_of_a_stopped_job(node: Node, signals, state, calls, code) -> None:
    assert node.stop(*signals, state=state)[0] == code
    assert node.calls() == calls


ARRAY = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "JOB": "7_3"}


def test_a_task_of_an_array_asks_for_itself_alone(node: Node) -> None:
    """The last task has the id of the array: with 7, Slurm would requeue all of its tasks."""
    assert node.stop(USR1, **ARRAY)[0] == 85
    assert node.calls() == ["85", "requeue"]
    assert [path.name for path in node.folder.glob("*.restarts*")] == [
        "my specialist.zarr.restarts-3"
    ]
    done = node.start(SECONDS_OF_WORK="0", **ARRAY)
    assert "job 7_3, restart 0" in done.communicate(timeout=20)[1]
    assert list(node.folder.glob("*.restarts*")) == []


def test_a_refused_requeue_is_a_failure(node: Node) -> None:
    assert node.stop(USR1, REFUSED="yes")[0] == 85


def test_a_signal_before_samssl_answers_it_is_an_interruption(node: Node) -> None:
    """Python dies of USR1 before its first line, with 138."""
    program = node.folder / "dies"
    program.write_text("#!/bin/sh\nkill -USR1 $$\n")
    program.chmod(0o755)
    job = node.start(SAMSSL=str(program))
    job.communicate(timeout=20)
    assert job.returncode == 85
    assert node.calls() == ["requeue"]


@pytest.mark.parametrize(("number", "code"), [(USR1, 85), (TERM, 143)])
def test_a_signal_before_samssl_is_started_does_not_start_it(node: Node, number, code) -> None:
    """The first command of the script is slow, and the signal comes meanwhile."""
    hostname = node.folder / "bin" / "hostname"
    hostname.write_text('#!/bin/sh\ntouch "$CALLS"\nsleep 0.5\n')
    hostname.chmod(0o755)
    job = node.start()
    while not (node.folder / "calls").exists():
        time.sleep(0.02)
    job.send_signal(number)
    assert "train-ssl ended with" in job.communicate(timeout=20)[1]
    assert job.returncode == code
    assert node.calls() == (["requeue"] if number == USR1 else [])


def test_an_error_keeps_its_code_and_a_success_too(node: Node) -> None:
    failed = node.start(FAILING="train-ssl")
    failed.communicate(timeout=20)
    assert failed.returncode == 1
    done = node.start(SECONDS_OF_WORK="0", SAMSSL=f"bash '{HERE / 'stand_in.sh'}'")  # two words
    done.communicate(timeout=20)
    assert done.returncode == 0
    assert node.output.is_dir()
    assert not node.stalled.exists()


def test_restarts_that_save_something_do_not_count(node: Node) -> None:
    for node.restart in range(3):
        assert node.stop(USR1, SAMSSL_MAX_STALLED="0")[0] == 85
    assert node.calls() == ["85", "requeue"] * 3


def test_restarts_that_save_nothing_end_the_job(node: Node) -> None:
    node.stop(USR1)
    for node.restart in (1, 2, 3):
        job = node.start(SAVING="no", SAMSSL_MAX_STALLED="1")
        time.sleep(0.5)
        if job.poll() is None:
            job.send_signal(USR1)
        told = job.communicate(timeout=20)[1]
        # The first of them found what the run before it saved, the second found nothing new.
        assert job.returncode == (1 if node.restart == 3 else 85)
    assert "stopped 2 times in a row" in told
    assert not node.stalled.exists()
