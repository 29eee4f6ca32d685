"""Row 21. A command does not care what it is run from, or who listens."""

import json
import subprocess
import sys

import pytest

ODD = {
    "plain": {"NO_COLOR": "1", "TERM": "dumb"},
    "narrow": {"COLUMNS": "20"},
    "C locale": {"LANG": "C", "LC_ALL": "C"},
    "no HOME": {"HOME": None, "XDG_CACHE_HOME": None, "USER": None, "LOGNAME": None},
    "no TERM": {"TERM": None, "COLUMNS": "0"},
}


@pytest.mark.parametrize("env", ODD.values(), ids=ODD)
def test_row_21_odd_terminals_and_paths(samssl, loop, tmp_path, env):
    folder = tmp_path / "with space/Müller 北"
    folder.mkdir(parents=True)
    (folder / "cases.zarr").symlink_to(loop.path("cases"))
    recipe = ("--recipe", loop.recipe_path, "--device", "cpu")
    arguments = ("evaluate", "cases.zarr", loop.path("student"), "-o", "scöres.zarr", *recipe)
    finished = samssl(*arguments, cwd=folder, env=env)
    assert finished.code == 0, finished.stderr
    assert finished.stdout == "scöres.zarr\n"
    assert "\x1b" not in finished.stderr


def test_row_21_a_read_only_working_directory(samssl, loop):
    assert samssl("show", loop.path("cases"), cwd="/proc/self").code == 0


def test_row_21_a_closed_stdout_and_a_reader_that_left():
    command = f"{sys.executable} -m samssl_cli list"
    closed = subprocess.run(
        ["sh", "-c", f"{command} >&-"], capture_output=True, text=True, check=False
    )
    assert (closed.returncode, closed.stderr) == (0, "")
    left = subprocess.run(
        ["sh", "-c", f"{command} | true"], capture_output=True, text=True, check=False
    )
    assert left.stderr == ""


JSON = {
    "show": ("show", "student.zarr", "--json"),
    "compare": ("compare", "a=scores.zarr", "b=scores.zarr", "--json"),
    "evaluate": ("evaluate", "cases.zarr", "student.zarr", "-o", "scores.zarr", "--json"),
}


@pytest.mark.parametrize("arguments", JSON.values(), ids=JSON)
def test_row_21_json_is_one_document_and_nothing_else(samssl, loop, arguments):
    more = ("--recipe", loop.recipe_path) if arguments[0] == "evaluate" else ()
    done = samssl(*arguments, *more, cwd=loop.out, env=ODD["narrow"])
    assert done.code == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)


@pytest.mark.slow
def test_row_21_one_of_the_streams_is_closed_while_a_stage_works(loop, tmp_path):
    """Neither the log nor the result has a reader; the work is done all the same."""
    words = f"prompt {loop.path('cases')} {loop.path('specialist')} --recipe {loop.recipe_path}"
    program = f"{sys.executable} -m samssl_cli {words} --device cpu"
    for number in (1, 2):
        output = tmp_path / f"{number}.zarr"
        done = subprocess.run(["sh", "-c", f"{program} -o {output} {number}>&-"], check=False)
        assert done.returncode == 0
        assert output.exists()
