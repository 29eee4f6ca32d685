"""pipelines/slurm/submit.sh and the text of the job scripts, without Slurm."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "pipelines" / "slurm"
STAGES = ("preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate")
KEPT = ("PATH", "HOME", "LANG")


def run(command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | more
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def submit(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return run([str(SCRIPTS / "submit.sh"), *words], **more)


class Job:
    """One sbatch command of a dry run."""

    def __init__(self, line: str) -> None:
        words = shlex.split(line)
        script = next(n for n, word in enumerate(words) if word.endswith(".sh"))
        self.stage, self.arguments = Path(words[script]).stem, words[script + 1 :]
        self.options = dict(word.partition("=")[::2] for word in words[1:script])
        self.name = self.options["--job-name"]
        self.output = self.arguments[self.arguments.index("-o") + 1]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "my data"
    folder.mkdir()
    return folder


@pytest.fixture
def dry_run(data: Path, tmp_path: Path):
    def jobs(*words: str, **more: str) -> dict[str, Job]:
        done = submit(f"DATA={data}", f"OUT={tmp_path / 'out'}", "--dry-run", *words, **more)
        assert done.returncode == 0, done.stderr
        return {job.name: job for job in map(Job, done.stdout.splitlines())}

    return jobs


VARIABLES = [
    [],
    ["ROUNDS=0"],
    ["ROUNDS=3", "LABELED=1", "SPLIT=split.json", "RECIPE=quick", "SEED=7", "STEPS=5"],
    ["COARSE_MM=2,2,2", "PREPROCESS_FLAGS=--spacing-mm keep", "DEVICE=cuda:1"],
    ["FIRST_GUESS=prototype --checkpoint w.pth", "ROUNDS=2"],
    ["GENERALIST=sam scout", "CHECKPOINT=sam=sam.pth scout=s.pth", "RETRAIN_FLAGS=--init scratch"],
    ["PROMPT_FLAGS=--strategy box --set prompt.num_sets=2", "TRAIN_FLAGS=--method uamt"],
    ["SAM_LABEL_FLAGS=--set=sam_label.options.sam.axis='\"i\"'", "EVALUATE_FLAGS=--voxels"],
]


def options(words: list[str]) -> list[str]:
    """The words in an order of ours; `--set a=b` and `--set=a=b` are the same."""
    return sorted("\0".join(words).replace("--set\0", "--set=").split("\0"))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("variables", VARIABLES, ids=" ".join)
def test_a_job_runs_what_make_runs(tmp_path: Path, variables: list[str]) -> None:
    """The same artifacts from the same inputs with the same options, whatever their order."""
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    words = [f"DATA={data}", f"OUT={out}", *variables]
    made = run(["make", "-n", "-f", str(ROOT / "pipelines" / "Makefile"), *words])
    text = made.stdout.replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("samssl ")]
    wanted = {line[line.index("-o") + 1]: options(line[1:]) for line in lines}  # the last of two
    jobs = map(Job, submit("--dry-run", *words).stdout.splitlines())
    assert {job.output: options([job.stage, *job.arguments]) for job in jobs} == wanted


def test_each_job_waits_for_what_it_reads(dry_run) -> None:
    """In a dry run the id of a job is its name."""
    made: dict[str, str] = {}
    after: dict[str, set[str]] = {}
    for name, job in dry_run("ROUNDS=2", "COARSE_MM=2,2,2", "SEEDS=0 1").items():
        kind, *ids = job.options.get("--dependency", "afterok").split(":")
        assert kind == "afterok"
        assert set(ids) <= made.keys()  # so they have an id by now
        assert not ids or job.options["--kill-on-invalid-dep"] == "yes"
        after[name] = set(ids).union(*(after[number] for number in ids))
        reads = {word for word in job.arguments if word in made.values()}
        assert reads == {made[number] for number in after[name]} & set(job.arguments)
        made[name] = job.output
    assert (
        len(set(made.values())) == 2 + 2 * 12
    )  # two grids; 2 trainings, 2 x 3 of a round, 4 scores


def test_several_seeds_share_the_cases(dry_run, tmp_path: Path) -> None:
    jobs = dry_run("SEEDS=3 5")
    assert [name for name in jobs if name.startswith("preprocess")] == ["preprocess"]
    for seed in ("3", "5"):
        job = jobs[f"retrain.round-1.seed-{seed}"]
        assert job.output == str(tmp_path / "out" / f"seed-{seed}" / "round-1" / "student.zarr")
        assert job.arguments[job.arguments.index("--seed") + 1] == seed
        assert job.arguments[0] == str(tmp_path / "out" / "cases.zarr")


def test_where_to_run_is_said_once_or_for_one_stage(dry_run) -> None:
    words = ("PARTITION=cpu", "TRAIN_PARTITION=gpu", "ACCOUNT=ours", "TIME=1:00:00", "CPUS=2")
    more = ("SAM_LABEL_GPUS=a100:1", "MEM=8G", "LEAD=60", "SBATCH=--qos=long '--comment=a b'")
    jobs = dry_run(*words, *more, RETRAIN_TIME="2:00:00")
    training, retraining = jobs["train-ssl.supervised"].options, jobs["retrain.round-1"].options
    assert training["--partition"] == "gpu"
    assert retraining["--partition"] == "cpu"
    assert (training["--time"], retraining["--time"]) == ("1:00:00", "2:00:00")
    assert jobs["sam-label.round-1"].options["--gres"] == "gpu:a100:1"
    wanted = {"--account": "ours", "--mem": "8G", "--cpus-per-task": "2", "--qos": "long"}
    wanted |= {"--comment": "a b", "--signal": "B:USR1@60"}
    assert all(wanted.items() <= job.options.items() for job in jobs.values())


@pytest.mark.parametrize(
    ("device", "preprocess", "prompt", "training"),
    [("auto", None, None, None), ("cuda", None, "gpu:1", "gpu:1"), ("cpu", "none", "none", "none")],
)
def test_a_device_asks_for_the_gpus_it_needs(dry_run, device, preprocess, prompt, training) -> None:
    jobs = dry_run(f"DEVICE={device}")
    names = ("preprocess", "prompt.round-1", "train-ssl.specialist")
    found = [jobs[name].options.get("--gres") for name in names]
    assert found == [preprocess, prompt, training]
    # None is what the job script says: a GPU for a training, nothing for the others.
    has_gpu = {name: "--gres=gpu:1" in (SCRIPTS / f"{name}.sh").read_text() for name in STAGES}
    assert {name for name in STAGES if has_gpu[name]} == {"train-ssl", "retrain"}


def test_shards_are_the_tasks_of_an_array(dry_run) -> None:
    jobs = dry_run("SHARDS=4", "EVALUATE_SHARDS=1", "SAM_LABEL_SHARDS=8")
    arrays = {name: job.options.get("--array") for name, job in jobs.items()}
    assert {name: array for name, array in arrays.items() if array} == {
        "preprocess": "1-4",
        "prompt.round-1": "1-4",
        "sam-label.round-1": "1-8",
    }
    for name, array in arrays.items():
        assert (jobs[name].arguments[-2:] == ["--shard", "auto"]) == bool(array)
        log = jobs[name].options["--output"].rpartition("/")[2]
        assert log == ("%x_%A_%a.log" if array else "%x_%j.log")
    # One id stands for all tasks of an array.
    assert jobs["retrain.round-1"].options["--dependency"] == "afterok:sam-label.round-1"


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ((), [None, None, None]),
        (("GPUS=1",), [None, None, None]),
        (("DEVICE=cpu",), [None, None, None]),
        (("TRAIN_GPUS=a100:4",), ["1", "4", "4"]),
        (("GPUS=2", "NODES=3"), ["3", "6", "2"]),
        (("DEVICE=cpu", "TRAIN_NODES=2"), ["2", "2", "1"]),
    ],
    ids=str,
)
def test_a_training_has_a_process_for_each_gpu(dry_run, words, asked) -> None:
    jobs = dry_run(*words)
    names = ("--nodes", "--ntasks", "--ntasks-per-node")
    assert [jobs["train-ssl.specialist"].options.get(name) for name in names] == asked
    assert not any(jobs["prompt.round-1"].options.get(name) for name in names)


def test_paths_with_blanks_stay_whole(dry_run, data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "my weights.pth"
    weights.touch()
    folder = tmp_path / "50% done"
    words = (
        f"OUT={folder}",
        f"CHECKPOINT=sam={weights}",
        "RECIPE=my recipe.toml",
        "LABELED=my list",
    )
    jobs = dry_run(*words)
    assert str(data) in jobs["preprocess"].arguments
    assert {"my recipe.toml", "my list"} <= set(jobs["preprocess"].arguments)
    assert f"sam={weights}" in jobs["sam-label.round-1"].arguments
    assert jobs["preprocess"].options["--output"] == f"{tmp_path}/50%% done/slurm/%x_%j.log"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["OUT=out"], "DATA and OUT are needed"),
        (["DATA=/", "OUT=/a/b"], "lies inside"),
        (["DATA=nowhere", "OUT=out"], "DATA=nowhere is not a folder"),
        (["DATA=/usr", "OUT=out", "TRAIN_SHARDS=4"], "there is no variable TRAIN_SHARDS"),
        (["DATA=/usr", "OUT=out", "SHARDS=0"], "SHARDS=0 is no number of jobs"),
        (["DATA=/usr", "OUT=out", "PROMPT_SHARDS=x"], "PROMPT_SHARDS=x is no number of jobs"),
        (["DATA=/usr", "OUT=out", "PARTITON=gpu"], "there is no variable PARTITON"),
        (["DATA=/usr", "OUT=out", "gpu"], "gpu is no NAME=VALUE"),
        (["DATA=/usr", "OUT=out", "ROUNDS=two"], "ROUNDS=two is no whole number"),
        (["DATA=/usr", "OUT=out", "SEED=1", "SEEDS=1 2"], "SEED and SEEDS exclude each other"),
        (["DATA=/usr", "OUT=out", "--dry-run", "TRAIN_FLAGS='a"], "a quote is not closed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_are_refused(words: list[str], told: str) -> None:
    done = submit(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""


TOOLS = "bash cat cut dirname env grep id mkdir printf realpath rm sh tee tr wc xargs"


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with the tools of a shell and programs of our own, and without those of Slurm."""
    folder.mkdir()
    for tool in TOOLS.split():
        (folder / tool).symlink_to(shutil.which(tool) or "/nowhere")
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("missing", ["sbatch", "samssl"])
def test_a_missing_program_is_named_before_anything_is_made(data, tmp_path, missing) -> None:
    there = {name: "exit 9" for name in ("sbatch", "samssl") if name != missing}
    path = programs(tmp_path / "bin", **there)
    done = submit(f"DATA={data}", f"OUT={tmp_path / 'out'}", PATH=path)
    assert done.returncode == 2
    assert f"there is no {'program ' if missing == 'samssl' else ''}{missing}" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_refused_job_takes_the_others_back(data: Path, tmp_path: Path) -> None:
    count = tmp_path / "count"
    accepts_two = (
        f'echo x >> {count}; n=$(wc -l < {count}); [ "$n" -le 2 ] || exit 1; echo "$n;all"'
    )
    path = programs(
        tmp_path / "bin",
        sbatch=accepts_two,
        scancel=f'echo "$@" > {tmp_path}/cancelled',
        squeue=":",
        samssl=":",
    )
    done = submit(f"DATA={data}", f"OUT={tmp_path / 'out'}", PATH=path)
    assert done.returncode == 1
    assert done.stdout == "1 preprocess\n2 train-ssl.supervised\n"
    assert "took back 1 2" in done.stderr
    assert (tmp_path / "cancelled").read_text() == "1 2\n"


def test_a_loop_that_is_still_queued_is_not_submitted_twice(data: Path, tmp_path: Path) -> None:
    path = programs(
        tmp_path / "bin", sbatch="echo 40", squeue="printf '39\\n40\\n'", samssl=":", scancel=":"
    )
    words = (f"DATA={data}", f"OUT={tmp_path / 'out'}")
    assert submit(*words, PATH=path).returncode == 0
    again = submit(*words, PATH=path)
    assert again.returncode == 2
    assert "is not done: wait for it, or scancel 40" in again.stderr
    programs(tmp_path / "idle", squeue=":")
    assert submit(*words, PATH=f"{tmp_path / 'idle'}:{path}").returncode == 0


def test_help_names_every_variable_of_the_makefile() -> None:
    makefile = (ROOT / "pipelines" / "Makefile").read_text(encoding="utf-8")
    head = makefile.partition("# Targets:")[0]
    names = set(re.findall(r"\b[A-Z][A-Z_]{2,}\b", head)) - {"JSON", "MSD", "NAME", "FILE"}
    assert names <= set(re.findall(r"\w+", submit("--help").stdout))


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    scripts = [*SCRIPTS.glob("*.sh"), *Path(__file__).parent.glob("*.sh")]
    done = run(["shellcheck", *map(str, scripts)])
    assert done.stdout == ""
    assert done.returncode == 0


def test_job_scripts_are_executable_and_say_the_same() -> None:
    for name in STAGES:
        path = SCRIPTS / f"{name}.sh"
        text = path.read_text(encoding="utf-8")
        assert path.stat().st_mode & 0o111
        assert "#SBATCH --requeue --signal=B:USR1@300\n" in text
        assert f"run_stage {name} " in text
