"""The program and its commands: each is imported when it is asked for, or when help lists all."""

from typing import Annotated, Any

import typer

from samssl_cli import __version__
from samssl_cli.cli.help_page import TitledCommands
from samssl_cli.cli.late_commands import LateCommand, LateCommands

_LOOP, _REST = "The loop", "Beside the loop"
_COMMANDS = {
    name: LateCommand(f"samssl_cli.cli.{file}", file, title)
    for name, file, title in (
        ("preprocess", "preprocess", _LOOP),
        ("train-ssl", "train_ssl", _LOOP),
        ("prompt", "prompt", _LOOP),
        ("sam-label", "sam_label", _LOOP),
        ("retrain", "retrain", _LOOP),
        ("evaluate", "evaluate", _LOOP),
        ("compare", "compare", _REST),
        ("predict", "predict", _REST),
        ("export", "export", _REST),
        ("show", "show", _REST),
        ("verify", "verify", _REST),
        ("list", "list_parts", _REST),
        ("adapt", "adapt", _REST),
        ("pretrain-scout", "pretrain_scout", _REST),
        ("demo", "demo", _REST),
        ("doctor", "doctor", _REST),
        ("recipe", "recipe", _REST),
        ("weights", "weights", _REST),
    )
}


class _Program(TitledCommands):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LateCommands(_COMMANDS)


app = typer.Typer(
    name="samssl",
    cls=_Program,
    rich_markup_mode=None,
    help="SAM-assisted semi-supervised 3D medical image segmentation.",
    epilog="The loop: preprocess, train-ssl, prompt, sam-label, retrain, evaluate. "
    "Each command resumes where it was stopped and does nothing when it is up to date. "
    "Start with: samssl demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"samssl {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="show the version"),
    ] = False,
) -> None:
    """SAM-assisted semi-supervised 3D medical image segmentation."""
