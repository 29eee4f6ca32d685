"""`samssl evaluate cases.zarr WHAT -o scores.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say, show_table


def evaluate(
    cases: opt.Cases,
    what: Annotated[Path, typer.Argument(metavar="WHAT", help="a checkpoint, or pseudo.zarr")],
    output: opt.Output,
    on: Annotated[
        str | None, typer.Option(help="test, unlabeled or held-out (both); for a checkpoint")
    ] = None,
    largest_component: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="reduce only these classes to one object in the cleaned rows; default: all",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the scores as JSON instead of the path")
    ] = False,
    device: opt.Device = "auto",
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Score predictions against the held-out references, in mm on the native grid."""
    from samssl_cli.artifacts.scores import Scores
    from samssl_cli.report.scores_table import as_json as scores_as_json
    from samssl_cli.report.scores_table import score_table
    from samssl_cli.stages.evaluate import evaluate as stage

    resolved = opt.resolve(recipe, overrides, evaluate__cases=on)
    with TerminalProgress() as progress:
        path = stage(
            cases,
            what,
            output,
            recipe=resolved,
            largest_component=largest_component or (),
            device=device,
            force=force,
            progress=progress,
        )
    scores = Scores(path)
    show_table(score_table(scores, title=f"{what} on {cases}"))
    say(_json(scores_as_json(scores)) if as_json else path)


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2, allow_nan=False)
