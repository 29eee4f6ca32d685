"""`samssl recipe list | show | new`."""

import pytest
from typer.testing import CliRunner

from samssl_cli.cli import app
from samssl_cli.cli.recipe import recipe as commands
from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.recipe import read_recipe, shipped_recipes


def invoke(*arguments):
    words = ["recipe", *(str(argument) for argument in arguments)]
    return CliRunner().invoke(app, words)


def printed(*arguments):
    done = invoke(*arguments)
    assert done.exit_code == 0, done.exception
    return done.stdout


def refused(error, *arguments):
    done = invoke(*arguments)
    assert isinstance(done.exception, error), done.output
    return str(done.exception)


@pytest.mark.parametrize("command", commands.registered_commands, ids=lambda one: one.name)
def test_every_command_has_help(command):
    assert command.callback.__doc__
    assert invoke(command.name, "--help").exit_code == 0


def test_list_names_every_recipe_with_a_line_and_its_source():
    lines = printed("list").splitlines()
    assert {line.split()[0] for line in lines[1::2]} == set(shipped_recipes())
    assert all(line.strip().startswith("[") and len(line.strip()) > 9 for line in lines[2::2])


@pytest.mark.parametrize("name", shipped_recipes())
def test_what_show_prints_is_the_recipe(name, tmp_path):
    path = tmp_path / "shown.toml"
    path.write_text(printed("show", name, "--set", "retrain.steps=7"), encoding="utf-8")
    assert read_recipe(str(path)) == read_recipe(name, ["retrain.steps=7"])
    assert path.read_text().startswith(f"# {shipped_recipes()[name]}\n")
    assert "# Changed: retrain.steps=7\n" in path.read_text()


def test_show_takes_a_file_that_says_nothing_of_itself(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[prompt]\nnum_sets = 5\n")
    shown = printed("show", path)
    assert shown.startswith(f"# All keys of {path}\n")
    assert "num_sets = 5\n" in shown


def test_new_writes_a_file_that_a_stage_can_read(tmp_path):
    path = tmp_path / "folder" / "mine.toml"
    said = printed("new", "mine", "-o", path, "--from", "la", "--set", "network.dropout=0.2")
    assert said == f"{path}\n"
    assert read_recipe(str(path)) == read_recipe("la", ["network.dropout=0.2"])
    first = path.read_text().splitlines()[0]
    assert first == f"# mine: made from la ({shipped_recipes()['la']})"


def test_new_never_replaces_what_was_edited(tmp_path):
    path = tmp_path / "mine.toml"
    printed("new", "mine", "-o", path)
    before = path.read_text()
    printed("new", "mine", "-o", path)  # the same again
    path.write_text(before.replace("steps = 6000", "steps = 60", 1))
    assert f"{path} exists and says something else" in refused(
        RecipeError, "new", "mine", "-o", path
    )
    assert "steps = 60\n" in path.read_text()
    printed("new", "mine", "-o", path, "--force")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("show", "slow"), RecipeError, "there is no recipe 'slow'"),
        (("show", "la", "--set", "prompt.x=1"), RecipeError, "prompt.x: Extra inputs"),
        (("show", "la", "--set", "train_ssl.method=magic"), UsageError, "unknown method 'magic'"),
        (("show", "la", "--set", "network.name=net"), UsageError, "unknown network 'net'"),
        (("show", "la", "--set", 'prompt.strategies=["x"]'), UsageError, "unknown strategy 'x'"),
        (("show", "la", "--set", "sam_label.generalist=x"), UsageError, "unknown generalist 'x'"),
        (("new", "a b", "-o", "x.toml"), UsageError, "'a b' is no name for a recipe"),
        (("new", "la", "-o", "la.toml"), UsageError, "ships with samssl"),
        (("new", "mine", "-o", "mine.txt"), UsageError, "a name that ends in .toml"),
        (("new", "mine", "-o", "x.toml", "--from", "slow"), RecipeError, "no recipe 'slow'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told(arguments, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(error, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_generalist_of_ones_own_need_not_be_there_yet():
    assert '"adapted.zarr"' in printed(
        "show", "quick", "--set", "sam_label.generalist=adapted.zarr"
    )


def test_new_needs_a_file(tmp_path):
    assert invoke("new", "mine").exit_code == 2
    (tmp_path / "folder.toml").mkdir()
    assert "is a folder" in refused(UsageError, "new", "mine", "-o", tmp_path / "folder.toml")
