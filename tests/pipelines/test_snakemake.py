"""pipelines/snakemake: its graph with a stand-in for samssl, and one run with the real one.

Snakemake is the program that $SNAKEMAKE names, or the one on the PATH: it has an environment of its
own, as it and samssl need other versions of some packages.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from samssl_cli.volumes.phantom import make_phantom_dataset

SNAKEFILE = Path(__file__).parents[2] / "pipelines" / "snakemake" / "Snakefile"
STAND_IN = Path(__file__).with_name("stand_in.sh").read_text()
PROGRAM = os.environ.get("SNAKEMAKE") or shutil.which("snakemake")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Snakemake is not installed")


class Workflow:
    """A data set, an output folder, and Snakemake."""

    def __init__(self, root: Path, *, out: str = "out") -> None:
        self.root, self.data, self.out = root, root / "data", root / out
        self.calls_file = root / "calls"
        self.samssl = root / "samssl"
        self.data.mkdir()
        (self.data / "dataset.json").write_text("{}")
        self.samssl.write_text(STAND_IN)
        self.samssl.chmod(0o755)

    def snakemake(
        self, *words: str, failing: str = "", settings: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        config = [f"data={self.data}", f"out={self.out}", f"samssl={self.samssl}", *settings]
        own = {"HOME": str(self.root), "XDG_CACHE_HOME": str(self.root / "cache")}
        return subprocess.run(
            [str(PROGRAM), "-s", str(SNAKEFILE), "--cores", "1", *words, "--config", *config],
            cwd=self.root,
            env={**os.environ, **own, "CALLS": str(self.calls_file), "FAILING": failing},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self, *settings: str, failing: str = "") -> list[str]:
        """What Snakemake called, as 'stage path' relative to the output folder."""
        self.calls_file.write_text("")
        done = self.snakemake(failing=failing, settings=settings)
        assert (done.returncode != 0) == bool(failing), done.stdout + done.stderr
        return self.calls_file.read_text().replace(f"{self.out}/", "").splitlines()


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow(tmp_path)


FIRST = {"preprocess cases.zarr", "train-ssl supervised.zarr", "train-ssl specialist.zarr"}
SCORED = {"evaluate scores/supervised.zarr", "evaluate scores/specialist.zarr"}
STUDENT = {"retrain round-1/student.zarr", "evaluate scores/round-1.zarr", "report"}
LABELED = {"sam-label round-1/pseudo.zarr"} | STUDENT
EVERYTHING = FIRST | SCORED | {"prompt round-1/prompts.zarr"} | LABELED


def test_lint_has_nothing_to_say_but_that_samssl_is_installed_by_pip(workflow: Workflow) -> None:
    done = workflow.snakemake("--lint")
    said = re.findall(r"^ +\* (.*)$", done.stdout + done.stderr, flags=re.MULTILINE)
    assert set(said) == {"Specify a conda environment or container for each rule.:"}


def test_dry_run_shows_both_rounds_with_their_options(workflow: Workflow) -> None:
    (workflow.root / "mine.yaml").write_text(
        "rounds: 2\nlabeled: 1\nrecipe: quick\nsteps: 5\nseed: 7\n"
        "generalist: scout sam\ncheckpoint: [sam=a b.pth]\n"
        "train_flags: --set 'a=b c'\n"
        "prompt_flags: --strategy box --set prompt.num_sets=1\n"
    )
    done = workflow.snakemake("--dry-run", "-p", "--configfile", "mine.yaml")
    told = (done.stdout + done.stderr).replace(f"{workflow.out}/", "").replace("'", "")
    lines = re.findall(r"samssl (\S+) (.*) >>", told)
    assert len(lines) == 14  # 13 artifacts, and the page
    prompts = [
        re.findall(r"^cases.zarr (\S+) -o (\S+)", rest)[0]
        for stage, rest in lines
        if stage == "prompt"
    ]
    assert sorted(prompts) == [
        ("round-1/student.zarr", "round-2/prompts.zarr"),
        ("specialist.zarr", "round-1/prompts.zarr"),
    ]
    options = dict(lines)
    assert "--recipe quick --labeled 1 --force" in options["preprocess"]
    assert "--seed 7 --steps 5 --set a=b c --device auto --force" in options["train-ssl"]
    assert "--generalist scout --generalist sam --checkpoint sam=a b.pth" in options["sam-label"]
    assert "--set=prompt.num_sets=1" in options["evaluate"]
    assert "--strategy" not in options["evaluate"]
    assert not workflow.out.exists()


def test_what_changed_runs_and_nothing_else(workflow: Workflow) -> None:
    assert set(workflow.calls()) == EVERYTHING
    assert workflow.calls() == []
    assert set(workflow.calls("retrain_flags=--method=uamt")) == STUDENT
    shutil.rmtree(workflow.out / "round-1" / "pseudo.zarr")
    assert set(workflow.calls("retrain_flags=--method=uamt")) == LABELED
    (workflow.data / "one more").write_text("")
    assert set(workflow.calls("retrain_flags=--method=uamt")) == EVERYTHING


def test_a_stopped_stage_keeps_its_part_and_goes_on(workflow: Workflow) -> None:
    assert workflow.calls(failing="sam-label")[-1] == "sam-label round-1/pseudo.zarr"
    assert (workflow.out / "round-1" / "pseudo.zarr.part").is_dir()
    assert set(workflow.calls()) >= LABELED
    assert workflow.calls() == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["data="], "data and out are needed"),
        (["out={data}/out"], "out lies inside data"),
        (["lebeled=1"], "there is no lebeled"),
        (["coarse_mm=2,2,2", "first_guess=template"], "set one of them"),
        (["rounds=none"], "no number of rounds"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused(
    workflow: Workflow, settings: list[str], told: str
) -> None:
    given = tuple(one.format(data=workflow.data) for one in settings)
    done = workflow.snakemake("--dry-run", settings=given)
    assert done.returncode != 0
    assert told in done.stdout + done.stderr


TINY = """
network = { name = "unet", channels = [4, 8] }
prompt = { num_sets = 1, min_component_voxels = 1 }
inference = { overlap = 0.0 }
sam_label = { generalist = "region-growing" }
train_ssl = { steps = 60, patch_size = [16, 16, 16], checkpoint_every = 1 }
retrain = { steps = 4, patch_size = [16, 16, 16] }
"""
KILLED_ONCE = """#!/bin/sh
# samssl, whose first training is killed once it has saved a state
PROGRAM "$@" &
if [ "$1" = train-ssl ] && [ ! -e "$0.killed" ]; then
  for word; do [ "$before" = -o ] && made=$word; before=$word; done
  until [ -d "$made.progress" ] || ! kill -0 $!; do sleep 0.05; done
  touch "$0.killed"
  kill -9 $!
fi
wait $!
"""


def test_real_run_goes_on_after_a_kill(tmp_path: Path) -> None:
    workflow = Workflow(tmp_path, out="a blank")
    shutil.rmtree(workflow.data)
    make_phantom_dataset(workflow.data, num_train=2, num_labeled=1, num_test=1, shape=(20, 20, 20))
    (tmp_path / "tiny.toml").write_text(TINY)
    workflow.samssl.write_text(KILLED_ONCE.replace("PROGRAM", f"{sys.executable} -m samssl_cli"))
    student = workflow.out / ".snakemake-marks" / "round-1" / "student"
    settings = (f"recipe={tmp_path / 'tiny.toml'}", "device=cpu")

    killed = workflow.snakemake(str(student), settings=settings)
    assert killed.returncode != 0
    assert (workflow.out / "specialist.zarr.part").is_dir()
    assert (workflow.out / "specialist.zarr.progress").is_dir()

    again = workflow.snakemake(str(student), "--rerun-incomplete", settings=settings)
    log = (workflow.out / "logs" / "specialist.log").read_text()
    assert again.returncode == 0, log + again.stderr
    assert "resuming" in log
    assert (workflow.out / "round-1" / "student.zarr").is_dir()
    inside = [path.name for path in workflow.out.rglob("*.zarr/*") if "snakemake" in path.name]
    assert inside == []  # no file of Snakemake's own in an artifact
