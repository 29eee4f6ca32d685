"""benchmarks/left_atrium.py: its commands, a run of them on phantoms, and how it fails."""

import importlib
import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import typer.main

from samssl_cli.cli import app
from samssl_cli.errors import UsageError
from samssl_cli.metrics.columns import column

FOLDER = Path(__file__).parents[2] / "benchmarks"
COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("left_atrium")


@pytest.fixture
def page(benchmark: ModuleType) -> ModuleType:
    return benchmark.left_atrium_page


@pytest.fixture
def make_grid(benchmark, phantom, recipe_path, tmp_path):
    def make(*words: object):
        where = ("--data", phantom, "--work", tmp_path / "work", "--recipe", recipe_path)
        return benchmark.grid_of(benchmark.read_arguments([str(one) for one in (*where, *words)]))

    return make


def options(command: list[str], name: str) -> list[str]:
    return [value for word, value in pairwise(command) if word == name]


# The commands


def test_a_dry_run_prints_every_command_and_makes_nothing(tmp_path):
    words = ["--data", "la", "--work", tmp_path / "work", "--dry-run", "--recipe", "quick"]
    command = [sys.executable, FOLDER / "left_atrium.py", *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    # 4 label counts; 3 methods x 4 x 3 seeds of 11 commands; 12 comparisons
    assert len(lines) == 4 + 3 * 4 * 3 * 11 + 12
    for line in lines:
        program, name, *rest = shlex.split(line)
        assert program == "samssl"
        COMMANDS[name].make_context(name, rest)
    assert list(tmp_path.iterdir()) == []


def test_every_training_has_the_same_steps_and_the_seed_of_its_chain(make_grid):
    grid = make_grid("--steps", 30, "--labels", 1, 2, "--seeds", 0, 7)
    trained = [one for one in grid.commands() if one[0] in ("train-ssl", "retrain")]
    assert {tuple(options(one, "--steps")) for one in trained} == {("30",)}
    assert all(f"seed-{options(one, '--seed')[0]}/" in options(one, "-o")[0] for one in trained)
    outputs = [options(one, "-o")[0] for one in grid.commands() if "-o" in one]
    assert len(set(outputs)) == len(outputs)


def test_without_steps_the_recipe_says_how_many(make_grid):
    assert make_grid("--set", "train_ssl.steps=9").steps == 9


def test_the_rows_differ_in_their_pseudo_labels_alone(make_grid):
    chain = list(make_grid("--generalist", "scout").chain(1, "uamt", 0))
    continued, own, sam = (one for one in chain if one[0] == "retrain")
    assert options(continued, "--set") == ["retrain.sam_weight=0"]
    assert continued[:-2] != own  # it has another name
    for one in (continued, own, sam):
        assert options(one, "--method") == ["uamt"]
        assert options(one, "--init")[0].endswith("uamt/seed-0/specialist.zarr")
    assert own[2].endswith("own-pseudo.zarr")
    assert sam[2].endswith("sam-pseudo.zarr")
    to_own, to_sam = (one for one in chain if one[0] == "sam-label")
    assert options(to_own, "--generalist") == ["none"]
    assert "sam_label.gate=thresholds" in options(to_own, "--set")
    assert options(to_sam, "--generalist") == ["scout"]


def test_from_scratch_only_continued_training_begins_with_the_specialist(make_grid):
    chain = make_grid("--start", "scratch").chain(1, "supervised", 0)
    inits = [options(one, "--init")[0] for one in chain if one[0] == "retrain"]
    assert inits[0].endswith("specialist.zarr")
    assert inits[1:] == ["scratch", "scratch"]


def test_weights_and_changes_reach_the_commands_that_use_them(make_grid):
    grid = make_grid("--generalist", "sam", "--checkpoint", "w.pth", "--set", "prompt.num_sets=1")
    for one in grid.chain(1, "supervised", 0):
        is_asked = "sam" in options(one, "--generalist")
        assert options(one, "--checkpoint") == (["w.pth"] if is_asked else [])
        assert "prompt.num_sets=1" in options(one, "--set")


def test_a_generalist_without_a_say_is_refused(make_grid):
    with pytest.raises(UsageError, match=r"makes \+SAM self-training"):
        make_grid("--set", "sam_label.specialist_weight=1.0")
    with pytest.raises(UsageError, match=r"makes \+SAM self-training"):
        make_grid("--generalist", "none")


# The run


def test_it_runs_on_phantoms_and_writes_the_page(benchmark, page, make_grid, samssl, tmp_path):
    grid = make_grid(*("--methods", "supervised", "--labels", 1, "--seeds", 0, "--steps", 2))
    told = []

    def run(command, log):
        done = samssl(*command)
        assert done.code == 0, done.stderr
        told.append(done.stderr)
        assert log.is_relative_to(tmp_path / "work")
        return done.stdout

    compared = benchmark.run(grid, run)
    text = page.page(grid, compared, typed=["...", "--work", str(grid.work)], threads=1)
    for row in ("alone", "continued", "self-training", "+SAM"):
        assert re.search(rf"^\| supervised \| {re.escape(row)} \| [\d.]+ \[", text, re.MULTILINE)
    assert "| image-blind template of the labeled masks |" in text
    assert "with prompts on the reference: a bound |" in text
    assert "Label budget (cases): 1 for training, 0 for selection" in text
    assert "; 3 unlabeled.\n" in text
    assert "    ... --work WORK\n" in text
    assert "+SAM minus self-training is" in text
    assert _gains_of(text) == pytest.approx(_mean_gains(grid), abs=0.006)
    assert str(tmp_path) not in text.replace(str(grid.recipe), "")
    assert "--seed 0" in text
    assert text.count("samssl ") > len(list(grid.chain(1, "supervised", 0)))

    first = json.loads(grid.scores(1, "supervised", 0, "alone").with_suffix(".json").read_text())
    mean = 100 * first["summary"]["largest-component"]["mean"]["dice"]
    assert f"| supervised | alone | {mean:.2f} [" in text

    told.clear()
    assert benchmark.run(grid, run) == compared
    assert all("is up to date" in one for one in told[:-1])  # the last only compares


def _gains_of(text: str) -> dict[str, float]:
    table = text.split("What +SAM gains in Dice")[1]
    found = re.findall(
        r"^\| (\S+) \| ([+-][\d.]+) \[[\d., -]+\] \| [01] of 1 \|", table, re.MULTILINE
    )
    return {row: float(points) for row, points in found}


def _mean_gains(grid) -> dict[str, float]:
    means = {}
    for arm in ("alone", "continued", "self-training", "+SAM"):
        scores = json.loads(grid.scores(1, "supervised", 0, arm).with_suffix(".json").read_text())
        means[arm] = 100 * scores["summary"]["largest-component"]["mean"]["dice"]
    return {arm: means["+SAM"] - mean for arm, mean in means.items() if arm != "+SAM"}


def test_a_gain_is_the_mean_over_methods_and_seeds_case_by_case(page, monkeypatch, make_grid):
    grid = make_grid("--methods", "supervised", "uamt", "--seeds", 0, 1)
    dice = {
        ("supervised", "+SAM"): ([0.8, 0.6], [0.9, 0.7]),
        ("supervised", "alone"): ([0.5, 0.5],) * 2,
        ("uamt", "+SAM"): ([0.5, 0.5],) * 2,
        ("uamt", "alone"): ([0.6, 0.6],) * 2,
    }
    monkeypatch.setattr(page, "ARMS", ("alone", "+SAM"))
    monkeypatch.setattr(page, "_read", lambda grid, labels, *row: dice.get(row))
    monkeypatch.setattr(page, "_values", lambda run, row, name: np.array(run))
    [line] = [one for one in page._gains(grid, 1) if one.startswith("| alone")]
    # supervised gains 0.35 and 0.15 in the two cases, uamt -0.1 in both: means 0.125 and 0.025
    assert line.startswith("| alone | +7.50 [")
    assert line.endswith("| 1 of 2 |")


def test_what_was_written_by_hand_stays_when_the_page_is_written_anew(page):
    before = f"old table\n\n{page.BY_HAND}\n\n## Where the points are lost\n"
    after = page.replaced(before, "new table\n")
    assert after == f"new table\n\n{page.BY_HAND}\n\n## Where the points are lost\n"
    assert page.replaced(after, "new table\n") == after
    assert page.replaced("", "new table\n") == "new table\n"


def test_a_cell_is_the_mean_over_seeds_and_cases_with_its_spreads(page):
    # seeds (0.5, 0.7) and (0.7, 0.9): cases 0.6, 0.8; means of the seeds 0.6, 0.8, sd 0.1414
    cell = page._cell([np.array([0.5, 0.7]), np.array([0.7, 0.9])], column("dice"))
    mean, ends = cell.split(" [")
    assert mean == "70.00 ± 14.14"
    low, high = map(float, ends.rstrip("]").split(", "))
    assert 0 <= low < 60
    assert 80 < high <= 100


def test_folders_are_renamed_as_whole_words_alone(page, make_grid):
    grid = replace(make_grid("--checkpoint", "sam=x/w.pth"), work=Path("w"), data=Path("data"))
    words = ["left.py", "--data", "data", "--work", "w", "-o", "w/own.zarr", "sam=x/w.pth", "a=w/b"]
    renamed = "left.py --data DATA --work WORK -o WORK/own.zarr sam=w.pth a=WORK/b"
    assert page._without_folders(grid, words) == renamed


def test_a_metric_is_taken_in_the_unit_that_the_scores_have(page):
    names = ["dice", "hd95_voxels", "asd_voxels", "nsd"]
    found = page._columns({"about": {"metrics": names}})
    assert [one.name for one in found] == ["dice", "hd95_voxels", "asd_voxels"]


# Failures


def test_the_first_command_that_fails_ends_the_run_with_its_code(benchmark, tmp_path, capsys):
    processes = benchmark.Processes(threads=1)
    log = tmp_path / "logs" / "log.txt"
    with pytest.raises(SystemExit) as ended:
        processes(["show", str(tmp_path / "nothing.zarr")], log)
    assert ended.value.code == 1
    assert "nothing.zarr: does not exist" in capsys.readouterr().err
    with pytest.raises(SystemExit):  # nothing else is begun
        processes(["list"], tmp_path / "other.txt")
    assert not (tmp_path / "other.txt").exists()


def test_a_signal_is_passed_on_and_nothing_else_is_begun(benchmark, monkeypatch, tmp_path):
    processes = benchmark.Processes(threads=1)
    waiting = tmp_path / "waits"
    waiting.write_text("import signal, time\nprint(1, flush=True)\ntime.sleep(60)\n")
    monkeypatch.setattr(benchmark, "PROGRAM", [sys.executable, str(waiting)])
    codes = []

    def follow():
        try:
            processes([], tmp_path / "log.txt")
        except SystemExit as ended:
            codes.append(ended.code)

    thread = threading.Thread(target=follow)
    thread.start()
    while not processes.is_running:
        time.sleep(0.01)
    processes.stop(signal.SIGUSR1)
    thread.join(timeout=20)
    assert codes == [85]  # the code that asks Slurm to run it again
