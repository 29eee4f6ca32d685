"""Every command as it is typed: what it prints where, and how it exits."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import typer.main
from typer.testing import CliRunner

from samssl_cli.cli import app
from samssl_cli.cli.demo import demo_commands

COMMANDS = typer.main.get_command(app).commands


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_every_option_has_help(name):
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name
    assert invoke(name, "--help").exit_code == 0


def test_the_demo_runs_commands_that_a_person_could_type(tmp_path):
    commands = list(demo_commands(tmp_path / "my demo", steps=3, seed=5))
    assert [command[0] for command in commands] == [
        "preprocess",
        *["train-ssl"] * 2,
        "prompt",
        "sam-label",
        "retrain",
        *["evaluate"] * 3,
    ]
    for name, *arguments in commands:
        COMMANDS[name].make_context(name, list(arguments))


def test_a_demo_with_other_options_needs_another_folder(samssl, tmp_path):
    folder = tmp_path / "demo"
    samssl("demo", folder, "--steps", 3, after_path=folder / "demo.json")  # killed at once
    for options in (("--steps", 4), ("--steps", 3, "--seed", 1)):
        other = samssl("demo", folder, *options)
        assert other.code == 2
        assert '({"steps": 3, "seed": 0}, expected' in other.stderr
        assert "name another DIR" in other.stderr
        assert "phantoms" not in other.stderr


def test_a_demo_never_uses_data_that_it_did_not_make(samssl, tmp_path):
    (tmp_path / "data").mkdir()
    finished = samssl("demo", tmp_path)
    assert finished.code == 2
    assert "holds another demo or other data (no demo.json" in finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_predict_takes_a_recipe_and_single_values(samssl, loop, phantom, tmp_path):
    image, out = phantom / "imagesTs/phantom_004_0000.nii.gz", tmp_path / "out"
    arguments = ("predict", loop.path("student"), image, "-o", out, "--device", "cpu")
    finished = samssl(*arguments, "--recipe", "quick", "--set", "inference.overlap=0.125")
    assert finished.stdout == f"{out / 'phantom_004.nii.gz'}\n"
    record = json.loads((out / "predicted-with.json").read_text())
    assert record["inference"]["overlap"] == 0.125
    assert samssl(*arguments).code == 1  # the default's overlap is another


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("fly",), 2, "No such command"),
        (("show",), 2, "Missing argument"),
        (("list", "colours"), 2, "no table 'colours'"),
        (("preprocess", ".", "-o", "x", "--spacing-mm", "wide"), 2, "takes median, keep, or three"),
        (("show", "nothing.zarr"), 1, "nothing.zarr: does not exist"),
        (("verify", "nothing.zarr"), 1, "nothing.zarr: does not exist"),
        (("preprocess", "nowhere", "-o", "x"), 1, "nowhere: is not a folder"),
        (("train-ssl", "no.zarr", "-o", "x"), 1, "no.zarr: does not exist"),
        (("train-ssl", "c", "-o", "x", "--recipe", "slow"), 1, "there is no recipe 'slow'"),
        (("train-ssl", "c", "-o", "x", "--method", "magic"), 2, "unknown method 'magic'; known:"),
        (("train-ssl", "c", "-o", "x", "--set", "a=1"), 1, "expected section.key=value"),
        (("train-ssl", "c", "-o", "x", "--set", "train_ssl.stepz=1"), 1, "train_ssl.stepz"),
        (("train-ssl", "c", "-o", "x", "--steps", "0"), 2, "--steps"),
        (("train-ssl", "c", "-o", "x", "--seed", "-1"), 2, "--seed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told_on_stderr(samssl, tmp_path, arguments, code, message):
    finished = samssl(*arguments, cwd=tmp_path)
    assert finished.code == code
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_the_result_and_nothing_else_goes_to_stdout(samssl, loop, tmp_path):
    output = tmp_path / "p.zarr"
    made = samssl(
        "prompt",
        loop.path("cases"),
        loop.path("specialist"),
        *("-o", output, "--recipe", loop.recipe_path, "--device", "cpu"),
    )
    assert made.code == 0
    assert made.stdout == f"{output}\n"
    assert "prompting 3/3" in made.stderr


def test_evaluate_prints_a_table_for_people_or_one_json_document(samssl, loop):
    arguments = ("evaluate", loop.path("cases"), loop.path("student"), "-o", loop.path("scores"))
    recipe = ("--recipe", loop.recipe_path)
    for_people = samssl(*arguments, *recipe)
    assert for_people.stdout == f"{loop.path('scores')}\n"
    assert "blur+largest-component" in for_people.stderr
    assert "HD95 (mm)" in for_people.stderr  # whole, although the log has no width
    for_programs = samssl(*arguments, *recipe, "--json")
    assert json.loads(for_programs.stdout)["schema"] == "samssl-scores/1"


def test_show(loop):
    shown = invoke("show", loop.path("cases")).stdout
    assert f"path: {loop.path('cases')}" in shown
    assert "visible/phantom_000" in shown
    described = json.loads(invoke("show", loop.path("student"), "--json").stdout)
    assert described["options"]["retrain"]["steps"] == 6
    assert described["seed"] == 0
    assert described["inputs"].keys() == {"cases", "pseudo"}
    assert described["members"]["student"] > 0
    assert described["versions"]["samssl"]


def test_verify_names_each_damaged_case(samssl, loop, tmp_path):
    assert samssl("verify", loop.path("cases")).stdout.endswith("cases.zarr is whole\n")
    copy = shutil.copytree(loop.path("cases"), tmp_path / "cases.zarr")
    for member in ("visible/phantom_000/image", "heldout/phantom_004/label"):
        chunk = next(path for path in (copy / member / "c").rglob("*") if path.is_file())
        chunk.write_bytes(chunk.read_bytes()[:-1])
    (copy / "visible/phantom_002/zarr.json").unlink()
    finished = samssl("verify", copy)
    assert finished.code == 1
    lines = finished.stderr.split("\n  - ")[1:]
    assert len(lines) == 3
    for name in ("phantom_000", "phantom_004", "phantom_002"):
        assert any(name in line for line in lines)
    assert "--force" in finished.stderr


def test_verify_tells_a_damaged_group(samssl, loop, tmp_path):
    copy = shutil.copytree(loop.path("cases"), tmp_path / "cases.zarr")
    (copy / "visible/zarr.json").write_bytes(b"{}")
    finished = samssl("verify", copy)
    assert (finished.code, finished.stdout) == (1, "")
    assert "visible/zarr.json: changed since it was sealed" in finished.stderr


def test_an_output_that_cannot_be_written_is_one_line(samssl, loop):
    finished = samssl(
        *("train-ssl", loop.path("cases"), "-o", "/proc/x.zarr", "--recipe", loop.recipe_path)
    )
    assert finished.code == 1
    assert "/proc/" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_signal_before_the_work_has_its_exit_code(loop):
    command = [sys.executable, "-m", "samssl_cli", "verify", loop.path("cases")]
    codes = set()
    for delay_s in (0.3, 0.5):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(delay_s)
            process.send_signal(signal.SIGUSR1)
            codes.add(process.wait())
    assert codes <= {85, 0, -signal.SIGUSR1}
