"""pipelines/Makefile: its graph with a stand-in for samssl, and one run with the real one."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samssl_cli.volumes.phantom import make_phantom_dataset

MAKEFILE = Path(__file__).parents[2] / "pipelines" / "Makefile"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

# Notes each call, and writes the artifact after -o unless it was made with the same words before.
STAND_IN = Path(__file__).with_name("stand_in.sh").read_text()


class Pipeline:
    """A data set, an output folder, and make."""

    def __init__(self, root: Path) -> None:
        self.data, self.out = root / "data", root / "out"
        self.calls_file = root / "calls"
        self.program = root / "samssl"
        self.data.mkdir()
        (self.data / "dataset.json").write_text("{}")
        self.program.write_text(STAND_IN)
        self.program.chmod(0o755)

    def make(self, *words: str, failing: str = "") -> subprocess.CompletedProcess[str]:
        variables = [f"DATA={self.data}", f"OUT={self.out}", f"SAMSSL={self.program}"]
        outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # of a make that runs these tests
        inherited = {key: value for key, value in os.environ.items() if key not in outer}
        return subprocess.run(
            ["make", "-f", str(MAKEFILE), *variables, *words],
            env={**inherited, "CALLS": str(self.calls_file), "FAILING": failing},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self, *words: str, failing: str = "") -> list[str]:
        """What make called, as 'stage path' relative to the output folder."""
        self.calls_file.write_text("")
        done = self.make(*words, failing=failing)
        assert (done.returncode != 0) == bool(failing), done.stderr
        return self.calls_file.read_text().replace(f"{self.out}/", "").splitlines()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def a_round(number: int) -> set[str]:
    folder = f"round-{number}"
    return {
        f"prompt {folder}/prompts.zarr",
        f"sam-label {folder}/pseudo.zarr",
        f"retrain {folder}/student.zarr",
        f"evaluate scores/{folder}.zarr",
    }


REPORT = {"report"}
TRAINED = {"train-ssl supervised.zarr", "train-ssl specialist.zarr"}
SCORED = {"evaluate scores/supervised.zarr", "evaluate scores/specialist.zarr"}


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_dry_run_shows_every_stage_once(pipeline: Pipeline, rounds: int) -> None:
    shown = pipeline.make("-n", f"ROUNDS={rounds}").stdout.replace(f"{pipeline.out}/", "")
    lines = re.findall(r"samssl (\S+) .*-o (\S+) ", shown)
    wanted = {"preprocess cases.zarr"} | TRAINED | SCORED
    for number in range(1, rounds + 1):
        wanted |= a_round(number)
    assert len(lines) == len(wanted) + 1  # the last score is looked at once more, for the report
    assert {f"{stage} {path}" for stage, path in lines} == wanted
    assert not pipeline.out.exists()


def test_each_round_asks_about_the_student_before_it(pipeline: Pipeline) -> None:
    shown = pipeline.make("-n", "ROUNDS=3").stdout.replace(f"{pipeline.out}/", "")
    assert re.findall(r"samssl prompt cases.zarr (\S+) -o (\S+)", shown) == [
        ("specialist.zarr", "round-1/prompts.zarr"),
        ("round-1/student.zarr", "round-2/prompts.zarr"),
        ("round-2/student.zarr", "round-3/prompts.zarr"),
    ]


def test_a_first_guess_takes_the_place_of_the_specialist_in_round_1(pipeline: Pipeline) -> None:
    words = ("ROUNDS=2", "FIRST_GUESS=prototype --checkpoint w.pth")
    shown = pipeline.make("-n", *words).stdout.replace(f"{pipeline.out}/", "")
    assert "specialist.zarr" not in shown
    assert re.findall(r"samssl prompt cases.zarr (.+) -o (\S+)", shown) == [
        ("--first-guess prototype --checkpoint w.pth", "round-1/prompts.zarr"),
        ("round-1/student.zarr", "round-2/prompts.zarr"),
    ]
    assert len(pipeline.calls(*words)) == 12  # 14, but the specialist and its score
    assert pipeline.calls(*words) == []
    assert "prompt round-1/prompts.zarr" in pipeline.calls("ROUNDS=2", "FIRST_GUESS=template")
    assert "train-ssl specialist.zarr" in pipeline.calls("ROUNDS=2")


def test_options_reach_their_stage_alone(pipeline: Pipeline) -> None:
    shown = pipeline.make(
        "-n",
        "LABELED=1",
        "SPLIT=split.json",
        "RECIPE=quick",
        "SEED=7",
        "STEPS=5",
        "DEVICE=cpu",
        "GENERALIST=sam",
        "CHECKPOINT=sam.pth",
        "TRAIN_FLAGS=--set train_ssl.momentum=0.8",
    ).stdout
    words = {line.split()[1]: line for line in shown.splitlines() if "samssl " in line}
    assert "--recipe quick --labeled 1 --split split.json" in words["preprocess"]
    assert "--seed 7 --steps 5 --set train_ssl.momentum=0.8 --device cpu" in words["train-ssl"]
    assert "--generalist sam --checkpoint sam.pth" in words["sam-label"]
    assert "--seed 7 --steps 5 --device cpu" in words["retrain"]
    assert "--steps" not in words["prompt"]
    assert "momentum" not in words["retrain"]
    assert "--device" not in words["preprocess"]


def test_several_generalists_are_asked_each_with_its_weights(pipeline: Pipeline) -> None:
    shown = pipeline.make(
        "-n", "GENERALIST=region-growing sam scout.zarr", "CHECKPOINT=sam=sam.pth scout=s.pth"
    ).stdout
    words = {line.split()[1]: line for line in shown.splitlines() if "samssl " in line}
    asked = (
        "--generalist region-growing --generalist sam --generalist scout.zarr "
        "--checkpoint sam=sam.pth --checkpoint scout=s.pth"
    )
    assert asked in words["sam-label"]
    assert asked in words["evaluate"]


def test_changed_weights_of_one_of_several_are_noticed(pipeline: Pipeline, tmp_path: Path) -> None:
    sam, odd, adapted = tmp_path / "sam.pth", tmp_path / "a=b.pth", tmp_path / "scout.zarr"
    adapted.mkdir()
    for path in (sam, odd):
        path.write_text("")
    words = (f"GENERALIST=sam sam2 {adapted}", f"CHECKPOINT=sam={sam} sam2={odd}")
    pipeline.calls(*words)
    assert pipeline.calls(*words) == []
    for path in (sam, odd, adapted):
        os.utime(path, (later := time.time() + 5, later))
        assert set(pipeline.calls(*words)) == AFTER_SAM_LABEL | SCORED
        os.utime(path, (1, 1))


def test_evaluate_asks_the_generalist_as_the_round_did(pipeline: Pipeline) -> None:
    shown = pipeline.make(
        "-n",
        "PROMPT_FLAGS=--strategy box --set prompt.num_sets=1",
        "SAM_LABEL_FLAGS=--set 'sam_label.options.sam.axis=\"i\"' "
        "--set sam_label.min_agreement=0.9",
    ).stdout
    lines = [line for line in shown.splitlines() if "samssl evaluate" in line]
    assert len(lines) == 4
    for line in lines:
        assert "--strategy" not in line
        assert "--set=prompt.num_sets=1" in line
        assert "--set='sam_label.options.sam.axis=\"i\"'" in line
        assert "--set=sam_label.min_agreement=0.9" in line


def test_a_coarse_specialist_prompts_the_fine_cases(pipeline: Pipeline) -> None:
    shown = pipeline.make(
        "-n", "COARSE_MM=2,2,3", "PREPROCESS_FLAGS=--spacing-mm 1,1,1", "ROUNDS=2"
    )
    told = shown.stdout.replace(f"{pipeline.out}/", "")
    spacings = dict(re.findall(r"samssl preprocess .* -o (\S+) .*--spacing-mm (\S+) --force", told))
    assert spacings == {"cases.zarr": "1,1,1", "coarse/cases.zarr": "2,2,3"}
    trained = dict(re.findall(r"samssl train-ssl (\S+) -o (\S+)", told))
    assert trained == {"cases.zarr": "supervised.zarr", "coarse/cases.zarr": "specialist.zarr"}
    assert "samssl prompt cases.zarr specialist.zarr -o round-1/prompts.zarr" in told
    assert "samssl evaluate cases.zarr specialist.zarr -o scores/specialist.zarr" in told


def test_second_make_runs_nothing(pipeline: Pipeline) -> None:
    assert len(pipeline.calls("ROUNDS=2")) == 14
    assert pipeline.calls("ROUNDS=2") == []
    assert "samssl" not in pipeline.make("-n", "ROUNDS=2").stdout.replace(str(pipeline.out), "")


def test_parallel_make_keeps_the_order(pipeline: Pipeline) -> None:
    calls = pipeline.calls("-j4", "ROUNDS=2")
    chain = ["preprocess cases.zarr", "train-ssl specialist.zarr", "prompt round-1/prompts.zarr"]
    chain += ["retrain round-1/student.zarr", "prompt round-2/prompts.zarr"]
    positions = [calls.index(call) for call in chain]
    assert positions == sorted(positions)
    assert pipeline.calls("-j4", "ROUNDS=2") == []


EVERYTHING = {"preprocess cases.zarr"} | TRAINED | SCORED | a_round(1) | REPORT
AFTER_RETRAIN = {"retrain round-1/student.zarr", "evaluate scores/round-1.zarr"} | REPORT
AFTER_SAM_LABEL = AFTER_RETRAIN | {"sam-label round-1/pseudo.zarr"}


COARSE = {"preprocess coarse/cases.zarr"}
AFTER_SPECIALIST = {"train-ssl specialist.zarr", "evaluate scores/specialist.zarr"}
AFTER_SPECIALIST |= a_round(1) | REPORT


def test_a_coarse_grid_reruns_the_specialist_and_what_it_prompted(pipeline: Pipeline) -> None:
    pipeline.calls()
    for words in ("COARSE_MM=2,2,2", "COARSE_MM=3,3,3"):
        assert set(pipeline.calls(words)) == COARSE | AFTER_SPECIALIST
        assert pipeline.calls(words) == []
    assert set(pipeline.calls()) == AFTER_SPECIALIST
    assert pipeline.calls() == []
    assert set(pipeline.calls("COARSE_MM=3,3,3")) == COARSE | AFTER_SPECIALIST


def test_changed_data_reach_the_coarse_grid_too(pipeline: Pipeline) -> None:
    pipeline.calls("COARSE_MM=2,2,2")
    (pipeline.data / "one more").write_text("")
    assert set(pipeline.calls("COARSE_MM=2,2,2")) == COARSE | EVERYTHING
    assert pipeline.calls("COARSE_MM=2,2,2") == []


@pytest.mark.parametrize(
    ("changed", "rerun"),
    [
        ("PREPROCESS_FLAGS=--spacing-mm keep", EVERYTHING),
        ("LABELED=1", EVERYTHING),
        ("RECIPE=la", EVERYTHING),
        ("TRAIN_FLAGS=--method uamt", EVERYTHING - {"preprocess cases.zarr"}),
        ("SEED=1", EVERYTHING - {"preprocess cases.zarr"}),
        ("PROMPT_FLAGS=--strategy box", a_round(1) | REPORT),
        ("SAM_LABEL_FLAGS=--set sam_label.options.sam.axis='\"i\"'", AFTER_SAM_LABEL | SCORED),
        ("SAM_LABEL_FLAGS=--generalist sam", AFTER_SAM_LABEL),
        ("RETRAIN_FLAGS=--method mean-teacher", AFTER_RETRAIN),
        (
            "EVALUATE_FLAGS=--largest-component organ",
            {*SCORED, "evaluate scores/round-1.zarr"} | REPORT,
        ),
        ("DEVICE=cpu", set()),
        ("SEED=0", set()),
    ],
    ids=lambda value: value.partition("=")[0] if isinstance(value, str) else "",
)
def test_changed_option_reruns_what_depends_on_it(
    pipeline: Pipeline, changed: str, rerun: set[str]
) -> None:
    pipeline.calls()
    assert set(pipeline.calls(changed)) == rerun
    assert pipeline.calls(changed) == []


def test_changed_file_is_noticed_and_settles(pipeline: Pipeline, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("")
    pipeline.calls(f"RECIPE={recipe}")
    recipe.write_text("# the same")
    assert set(pipeline.calls(f"RECIPE={recipe}")) == EVERYTHING
    assert pipeline.calls(f"RECIPE={recipe}") == []
    (pipeline.data / "one more").write_text("")
    assert set(pipeline.calls(f"RECIPE={recipe}")) == EVERYTHING
    assert pipeline.calls(f"RECIPE={recipe}") == []


def test_another_round_keeps_those_before(pipeline: Pipeline) -> None:
    pipeline.calls("ROUNDS=1")
    assert set(pipeline.calls("ROUNDS=2")) == a_round(2) | REPORT


def test_deleted_artifact_is_made_again(pipeline: Pipeline) -> None:
    pipeline.calls()
    shutil.rmtree(pipeline.out / "round-1" / "pseudo.zarr")
    assert set(pipeline.calls()) == AFTER_SAM_LABEL


def test_stopped_stage_keeps_its_part_and_goes_on(pipeline: Pipeline) -> None:
    calls = pipeline.calls(failing="sam-label")
    assert calls[-1] == "sam-label round-1/pseudo.zarr"
    assert (pipeline.out / "round-1" / "pseudo.zarr.part").is_dir()
    calls = pipeline.calls()
    assert "sam-label round-1/pseudo.zarr" in calls
    assert TRAINED.isdisjoint(calls)


def test_summary_holds_the_means(pipeline: Pipeline) -> None:
    printed = pipeline.make().stdout
    # dice (50 + 70) / 2, jaccard (25 + 45) / 2, hd95 (4 + 6) / 2, asd (2 + 4) / 2; one case missed
    for model in ("supervised", "specialist", "round-1"):
        line = f"| raw | organ | {model} | 2 | 1 | 60.00 | 35.00 | 5.00 | 3.00 |"
        assert line in printed
        assert line in pipeline.make("report").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["DATA="], "DATA and OUT are needed"),
        (["DATA=/a", "OUT=/a/b"], "lies inside"),
    ],
)
def test_wrong_folders_are_refused(pipeline: Pipeline, words: list[str], told: str) -> None:
    done = pipeline.make(*words)
    assert done.returncode == 2
    assert told in done.stderr


def test_help_needs_no_folders() -> None:
    done = subprocess.run(
        ["make", "-f", str(MAKEFILE), "help"], capture_output=True, text=True, check=True
    )
    assert "LABELED" in done.stdout


TINY = """
network = { name = "unet", channels = [4, 8] }
prompt = { num_sets = 1, min_component_voxels = 1 }
inference = { overlap = 0.0 }
evaluate = { sanity = false }
train_ssl = { steps = 4, patch_size = [16, 16, 16] }
retrain = { steps = 4, patch_size = [16, 16, 16] }
"""


def test_real_run_on_a_phantom(tmp_path: Path) -> None:
    data, out, recipe = tmp_path / "data", tmp_path / "out", tmp_path / "tiny.toml"
    make_phantom_dataset(data, num_train=2, num_labeled=1, num_test=1, shape=(20, 20, 20))
    recipe.write_text(TINY)
    variables = [f"DATA={data}", f"OUT={out}", f"RECIPE={recipe}", "DEVICE=cpu"]
    variables += [f"SAMSSL={sys.executable} -m samssl_cli"]
    variables += [f"scores={out}/scores/round-1.zarr"]  # one of each stage is enough here
    make = ["make", "-f", str(MAKEFILE), *variables, f"{out}/summary.md"]

    first = subprocess.run(make, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert "| largest-component | mean | round-1 | 2 |" in (out / "summary.md").read_text()

    began = time.monotonic()
    second = subprocess.run(make, capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 3
    assert "samssl" not in second.stdout + second.stderr

    third = subprocess.run(
        [*make, "EVALUATE_FLAGS=--largest-component organ"],
        capture_output=True,
        text=True,
        check=True,
    )
    ran = re.findall(r"samssl_cli (\S+)", third.stdout)
    assert ran == ["evaluate"]
