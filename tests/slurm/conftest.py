"""The scripts of pipelines/slurm, a stand-in for samssl, and a Slurm cluster of one node."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "pipelines" / "slurm"
OVER = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}


def clean_environment() -> dict[str, str]:
    """Ours, without what a cluster or a job that runs these tests would tell Slurm's commands."""
    told = re.compile("SLURM|SBATCH|SQUEUE|SAMSSL_")
    return {name: value for name, value in os.environ.items() if not told.match(name)}


@dataclass(frozen=True)
class Cluster:
    """A running Slurm; every job notes its calls of the stand-in in one file."""

    conf: Path
    calls_file: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: object, **more: str) -> str:
        """What a command of Slurm, or of ours, prints."""
        done = self.attempt(*words, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def attempt(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        own = {"SLURM_CONF": str(self.conf), "CALLS": str(self.calls_file)}
        own |= {"SAMSSL": str(HERE / "stand_in.sh"), **self.environment, **more}
        command = [str(word) for word in words]
        environment = clean_environment() | own
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def sbatch(
        self, stage: str, output: Path, *options: str, words: Sequence[object] = (), **more: str
    ) -> str:
        """Submit the job script of one stage alone; gives the id of the job."""
        small = ["--cpus-per-task=1", "--mem=200M", f"--output={output.parent}/%x_%j.log"]
        words = words or ("cases.zarr", "-o", output)
        arguments = ["sbatch", "--parsable", *small, *options, SCRIPTS / f"{stage}.sh", *words]
        return self.run(*arguments, SAMSSL_SLURM=str(SCRIPTS), **more).strip()

    def submit(self, *words: str, **more: str) -> dict[str, str]:
        """Submit the whole loop; gives the id of each job by its name."""
        printed = self.run(SCRIPTS / "submit.sh", "CPUS=1", "MEM=200M", *words, **more)
        return {name: number for number, name in map(str.split, printed.splitlines())}

    def shown(self, job: str) -> dict[str, str]:
        return dict(re.findall(r"(\S+?)=(\S*)", self.run("scontrol", "-o", "show", "job", job)))

    def state(self, job: str) -> str:
        return self.shown(job)["JobState"]

    def restarts(self, job: str) -> int:
        return int(self.shown(job)["Restarts"])

    def wait_for(self, job: str, *states: str, timeout_s: float = 60) -> str:
        """Wait until a job is in one of these states, by default that it is over."""
        wanted = set(states) or OVER
        end = time.monotonic() + timeout_s
        while (state := self.state(job)) not in wanted:
            assert time.monotonic() < end, f"job {job} is {state} after {timeout_s} s"
            time.sleep(0.2)
        return state

    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()


def _is_available() -> bool:
    programs = ("slurmctld", "slurmd", "munged", "sbatch")
    return os.geteuid() == 0 and all(shutil.which(name) for name in programs)


@pytest.fixture(scope="session")
def slurm_conf() -> Iterator[Path]:
    """Slurm on this machine, for as long as the tests run; it ends with us, whatever ends us."""
    if not _is_available():
        pytest.skip("needs root, and slurmctld, slurmd, slurm-client and munge")
    with tempfile.TemporaryFile("w+") as log:
        node = subprocess.Popen(
            [str(HERE / "single_node.sh")],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for pytest, which then closes stdin
        )
        assert node.stdout is not None
        try:
            conf = node.stdout.readline().strip()
            if not conf:
                log.seek(0)
                pytest.fail(f"Slurm did not start:\n{log.read()}")
            yield Path(conf)
        finally:
            node.communicate(timeout=60)  # closes stdin, and waits for the daemons to end


@pytest.fixture
def cluster(slurm_conf: Path, tmp_path: Path) -> Iterator[Cluster]:
    calls_file = tmp_path / "calls"
    calls_file.touch()
    cluster = Cluster(slurm_conf, calls_file)
    yield cluster
    cluster.run("scancel", "--user=root")
    while cluster.run("squeue", "--noheader"):
        time.sleep(0.2)
