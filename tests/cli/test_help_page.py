"""The list of commands: plain text, under its titles, nothing cut."""

import re

import pytest
import typer
from typer.testing import CliRunner

from samssl_cli.cli import app
from samssl_cli.cli.help_page import TitledCommands


def page(program, *arguments):
    return CliRunner().invoke(program, [*arguments, "--help"]).stdout


def test_every_command_stands_under_its_title():
    loop, _, rest = page(app).partition("\nBeside the loop:\n")
    assert "\nThe loop:\n" in loop
    commands = typer.main.get_command(app).commands
    for name, command in commands.items():
        where = loop if command.rich_help_panel == "The loop" else rest
        assert re.search(rf"^  {name} ", where, re.MULTILINE), name


@pytest.mark.parametrize("group", [(), ("recipe",), ("weights",)], ids=str)
def test_no_summary_is_cut(group):
    assert "..." not in page(app, *group).replace("[ARGS]...", "")


def test_without_a_title_it_is_a_command_and_hidden_ones_are_not_listed():
    small = typer.Typer(cls=TitledCommands, rich_markup_mode=None)
    small.command("plain", help="Plain.")(lambda: None)
    small.command("secret", help="Secret.", hidden=True)(lambda: None)
    told = page(small)
    assert "\nCommands:\n  plain  Plain.\n" in told
    assert "secret" not in told
