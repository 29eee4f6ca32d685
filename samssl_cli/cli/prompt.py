"""`samssl prompt cases.zarr specialist.zarr -o prompts.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say


def prompt(
    cases: opt.Cases,
    specialist: Annotated[Path, typer.Argument(metavar="SPECIALIST", help="a checkpoint")],
    output: opt.Output,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="mask, box, points, uncertain-points; several are used together"),
    ] = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Let the specialist predict the unlabeled cases and place prompts on them."""
    from samssl_cli.stages.prompt import prompt as stage

    resolved = opt.resolve(recipe, overrides, prompt__strategies=strategy)
    with TerminalProgress() as progress:
        path = stage(
            cases,
            specialist,
            output,
            recipe=resolved,
            seed=seed,
            device=device,
            force=force,
            progress=progress,
        )
    say(path)
