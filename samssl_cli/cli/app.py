"""The program and its commands."""

from typing import Annotated

import typer

from samssl_cli import __version__
from samssl_cli.cli.adapt import adapt
from samssl_cli.cli.compare import compare
from samssl_cli.cli.demo import demo
from samssl_cli.cli.doctor import doctor
from samssl_cli.cli.evaluate import evaluate
from samssl_cli.cli.export import export
from samssl_cli.cli.help_page import TitledCommands
from samssl_cli.cli.list_parts import list_parts
from samssl_cli.cli.predict import predict
from samssl_cli.cli.preprocess import preprocess
from samssl_cli.cli.pretrain_scout import pretrain_scout
from samssl_cli.cli.prompt import prompt
from samssl_cli.cli.recipe import recipe
from samssl_cli.cli.retrain import retrain
from samssl_cli.cli.sam_label import sam_label
from samssl_cli.cli.show import show
from samssl_cli.cli.train_ssl import train_ssl
from samssl_cli.cli.verify import verify
from samssl_cli.cli.weights import weights

app = typer.Typer(
    name="samssl",
    cls=TitledCommands,
    rich_markup_mode=None,
    help="SAM-assisted semi-supervised 3D medical image segmentation.",
    epilog="The loop: preprocess, train-ssl, prompt, sam-label, retrain, evaluate. "
    "Each command resumes where it was stopped and does nothing when it is up to date. "
    "Start with: samssl demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_LOOP, _REST = "The loop", "Beside the loop"
for _name, _command, _panel in (
    ("preprocess", preprocess, _LOOP),
    ("train-ssl", train_ssl, _LOOP),
    ("prompt", prompt, _LOOP),
    ("sam-label", sam_label, _LOOP),
    ("retrain", retrain, _LOOP),
    ("evaluate", evaluate, _LOOP),
    ("compare", compare, _REST),
    ("predict", predict, _REST),
    ("export", export, _REST),
    ("show", show, _REST),
    ("verify", verify, _REST),
    ("list", list_parts, _REST),
    ("adapt", adapt, _REST),
    ("pretrain-scout", pretrain_scout, _REST),
    ("demo", demo, _REST),
    ("doctor", doctor, _REST),
):
    app.command(_name, rich_help_panel=_panel)(_command)
app.add_typer(recipe, name="recipe", rich_help_panel=_REST)
app.add_typer(weights, name="weights", rich_help_panel=_REST)


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
