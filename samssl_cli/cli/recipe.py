"""`samssl recipe list | show | new`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say
from samssl_cli.cli.help_page import TitledCommands
from samssl_cli.cli.list_parts import list_parts

recipe = typer.Typer(
    cls=TitledCommands,
    help="The recipes: which there are, what each key says, and a file of your own.",
    no_args_is_help=True,
)


@recipe.command("list")
def list_recipes() -> None:
    """List the shipped recipes: what each is, and where it comes from."""
    list_parts("recipes")


@recipe.command("show")
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="a shipped recipe or a TOML file")
    ],
    overrides: opt.Overrides = None,
) -> None:
    """Print a whole recipe as TOML, what it leaves out included, with what each key is."""
    from samssl_cli.stages.recipes import spell_out

    resolved = opt.resolve(name, overrides)
    say(spell_out(name, resolved, overrides or []).removesuffix("\n"))


@recipe.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what to call it")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="where it goes: a .toml file")
    ],
    start: Annotated[
        str, typer.Option("--from", metavar="NAME|FILE", help="the recipe to begin with")
    ] = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
) -> None:
    """Write a recipe of your own, with every key and what it is, to be edited."""
    from samssl_cli.stages.recipes import write_new

    resolved = opt.resolve(start, overrides)
    with TerminalProgress() as progress:
        path = write_new(
            name,
            output,
            start=start,
            recipe=resolved,
            overrides=overrides or [],
            force=force,
            progress=progress,
        )
    say(path)
