"""samssl itself on a real Slurm: the whole loop, and trainings that are stopped on the way."""

import shlex
import sys
import time
from pathlib import Path

import pytest

from samssl_cli.volumes.phantom import make_phantom_dataset

HERE = Path(__file__).parent

RECIPE = """
network = { name = "unet", channels = [4, 8] }
prompt = { num_sets = 1, min_component_voxels = 1 }
sam_label = { generalist = "region-growing" }
inference = { overlap = 0.0 }
evaluate = { sanity = false }
train_ssl = { steps = 4, patch_size = [16, 16, 16] }
retrain = { steps = 4, patch_size = [16, 16, 16] }
"""

# Hands its arguments to a process that has imported everything, and takes the exit code from there.
# The first line are the variables of an array, if it is a task of one.
CLIENT = """#!/bin/sh
env | grep ^SLURM_ARRAY_TASK | tr '\\n' ' ' > "$ORDERS/new.$SLURM_JOB_ID"
printf '%s\\n' '' "$@" >> "$ORDERS/new.$SLURM_JOB_ID"
mv "$ORDERS/new.$SLURM_JOB_ID" "$ORDERS/$SLURM_JOB_ID.order"
while [ ! -e "$ORDERS/$SLURM_JOB_ID.code" ]; do sleep 0.1; done
exit "$(cat "$ORDERS/$SLURM_JOB_ID.code")"
"""


def serve(cluster, samssl, orders: Path, jobs: dict[str, str]) -> dict[str, str]:
    """Do what the jobs order until all of them are over; gives what each said."""
    said: dict[str, str] = {}
    names = {number: name for name, number in jobs.items()}
    end = time.monotonic() + 300
    while cluster.run("squeue", "--noheader"):
        assert time.monotonic() < end
        for order in orders.glob("*.order"):
            _, words = read(order)
            done = samssl(*words)
            answer(order, done.code)
            said[names[order.stem]] = done.stderr
        time.sleep(0.1)
    return said


def read(order: Path) -> tuple[dict[str, str], list[str]]:
    """The variables of an array, and the arguments."""
    task, *words = order.read_text().splitlines()
    return dict(pair.split("=") for pair in task.split()), words


def answer(order: Path, code: int) -> None:
    order.rename(order.with_suffix(".taken"))
    order.with_suffix(".new").write_text(str(code))
    order.with_suffix(".new").rename(order.with_suffix(".code"))


@pytest.fixture
def client(tmp_path) -> tuple[Path, Path]:
    """A stand-in for samssl that hands its arguments on, and the folder where they arrive."""
    orders, client = tmp_path / "orders", tmp_path / "my client"
    orders.mkdir()
    client.write_text(CLIENT)
    client.chmod(0o755)
    return client, orders


def test_the_whole_loop(cluster, samssl, tmp_path, client):
    data, out, recipe = tmp_path / "my data", tmp_path / "my runs", tmp_path / "my recipe.toml"
    make_phantom_dataset(data, num_train=2, num_labeled=1, num_test=1, shape=(20, 20, 20))
    recipe.write_text(RECIPE)
    variables = (f"DATA={data}", f"OUT={out}", f"RECIPE={recipe}", "DEVICE=cpu", "LABELED=1")
    jobs = cluster.submit(*variables, SAMSSL=str(client[0]), ORDERS=str(client[1]))
    said = serve(cluster, samssl, client[1], jobs)
    states = {name: cluster.state(job) for name, job in jobs.items()}
    assert set(states.values()) == {"COMPLETED"}, said
    assert {path.name for path in (out / "scores").glob("*.csv")} == {
        "supervised.csv",
        "specialist.csv",
        "round-1.csv",
    }
    assert (out / "report" / "report.html").exists()
    logs = {path.name for path in (out / "slurm").glob("*.log")}
    assert logs == {f"{name}_{job}.log" for name, job in jobs.items()}


def test_four_tasks_of_an_array_make_the_artifact_that_one_job_makes(
    cluster, samssl, loop, recipe_path, tmp_path, hashes, client
):
    """All at once, and what waits for the array begins when it is sealed."""
    output, (program, orders) = tmp_path / "prompts.zarr", client
    reads = (loop.path("cases"), loop.path("specialist"), "-o", output, "--recipe", recipe_path)
    words = (*reads, "--device", "cpu", "--shard", "auto")
    more = {"SAMSSL": str(program), "ORDERS": str(orders)}
    job = cluster.sbatch("prompt", output, "--array=1-4", words=words, **more)
    after = ("--mem=10M", "--output=/dev/null", f"--dependency=afterok:{job}")
    behind = cluster.run("sbatch", "--parsable", *after, f"--wrap=test -d '{output}'").strip()
    while len(found := sorted(orders.glob("*.order"))) < 4:
        time.sleep(0.05)
    envs, commands = zip(*map(read, found), strict=True)
    done = samssl.together(*commands, envs=envs)
    for order, one in zip(found, done, strict=True):
        assert one.code == 0, one.stderr
        answer(order, one.code)
    assert {env["SLURM_ARRAY_TASK_ID"] for env in envs} == {"1", "2", "3", "4"}
    assert hashes(output) == hashes(loop.path("prompts"))
    assert cluster.wait_for(behind) == "COMPLETED"
    assert list(tmp_path.glob("*.restarts*")) == []


@pytest.fixture
def training(cluster, samssl, loop, recipe_path, tmp_path, hashes):
    """Submit a training of so many steps of so many seconds; check that it ends as one in peace."""

    def submit(num_steps: int, pause_s: float, *options: str) -> tuple[str, Path]:
        output = tmp_path / "specialist.zarr"
        words = [loop.path("cases"), "-o", output, *arguments(num_steps)]
        program = shlex.join([sys.executable, str(HERE / "slow_samssl.py")])
        more = {"SAMSSL": program, "PAUSE_S": str(pause_s)}
        return cluster.sbatch("train-ssl", output, *options, words=words, **more), output

    def arguments(num_steps: int) -> list[object]:
        # No state is saved on the way but for a signal.
        rest = ["--set", "train_ssl.checkpoint_every=1000", "--seed", 3, "--device", "cpu"]
        return ["--recipe", recipe_path, "--steps", num_steps, *rest]

    def check(job: str, output: Path, num_steps: int) -> None:
        log = (tmp_path / f"train-ssl_{job}.log").read_text()
        assert cluster.state(job) == "COMPLETED", log
        assert cluster.restarts(job) >= 1
        assert "resumed after step" in log
        whole = tmp_path / "whole" / output.name
        assert samssl("train-ssl", loop.path("cases"), "-o", whole, *arguments(num_steps)).code == 0
        assert hashes(output) == hashes(whole)

    submit.check = check  # type: ignore[attr-defined]  # the two belong together
    return submit


@pytest.mark.slow
@pytest.mark.parametrize("partition", ["batch", "abrupt"])
def test_row_03_a_preempted_training_ends_with_the_same_bytes(cluster, training, partition):
    """Batch gives 10 seconds, abrupt none: USR1 and TERM come together, and KILL after 5 s."""
    job, output = training(20, 0.5, "--gres=none", f"--partition={partition}")
    while not output.with_name(f"{output.name}.part").exists():
        assert cluster.state(job) in {"PENDING", "RUNNING"}
        time.sleep(0.2)
    time.sleep(2)
    urgent = ("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    cluster.run(*urgent)
    cluster.wait_for(job, timeout_s=300)
    training.check(job, output, 20)


@pytest.mark.slow
def test_row_03_a_cancelled_training_stays_cancelled_and_its_state_is_there(cluster, training):
    job, output = training(20, 0.5, "--gres=none")
    while not output.with_name(f"{output.name}.part").exists():
        assert cluster.state(job) in {"PENDING", "RUNNING"}
        time.sleep(0.2)
    time.sleep(2)
    cluster.run("scancel", job)
    assert cluster.wait_for(job) == "CANCELLED"
    time.sleep(8)  # longer than a requeued job is held
    assert cluster.state(job) == "CANCELLED"
    assert not output.exists()
    assert list(output.with_name(f"{output.name}.progress").glob("step-*"))


@pytest.mark.slow
def test_row_03_a_training_beyond_its_time_limit_ends_with_the_same_bytes(cluster, training):
    job, output = training(60, 1.0, "--gres=none", "--time=1", "--signal=B:USR1@1")
    cluster.wait_for(job, timeout_s=500)
    training.check(job, output, 60)
