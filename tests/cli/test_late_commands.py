import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from samssl_cli.cli import app
from samssl_cli.cli.late_commands import LateCommand, LateCommands


def known():
    return LateCommands({"show": LateCommand("samssl_cli.cli.show", "show", "Beside")})


def test_a_command_is_built_once_with_its_title():
    commands = known()
    assert (list(commands), len(commands), "show" in commands) == (["show"], 1, True)
    assert commands["show"] is commands["show"]
    assert (commands["show"].name, commands["show"].rich_help_panel) == ("show", "Beside")
    with pytest.raises(KeyError):
        commands["shown"]


def test_commands_can_be_added_and_taken_away():
    commands = known()
    commands["other"] = "a command"
    del commands["show"]
    assert dict(commands) == {"other": "a command"}


def test_groups_keep_their_commands():
    recipe = typer.main.get_command(app).commands["recipe"]
    assert {"list", "show"} <= set(recipe.commands)


def test_a_mistyped_name_is_told_with_what_comes_close():
    finished = CliRunner().invoke(app, ["evalute"])
    assert finished.exit_code == 2
    assert "evaluate" in finished.output


def test_one_command_does_not_import_the_others():
    code = (
        "import sys; from samssl_cli.cli import app; app(['show', '--help'], standalone_mode=0);"
        "print(*(name for name in sys.modules if name.startswith('samssl_cli.cli.')), sep=',')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split(",")
    assert "samssl_cli.cli.show" in loaded
    assert "samssl_cli.cli.train_ssl" not in loaded
