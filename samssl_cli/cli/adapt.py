"""`samssl adapt cases.zarr --generalist NAME -o generalist.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say


def adapt(
    cases: opt.Cases,
    output: opt.Output,
    generalist: Annotated[
        str | None,
        typer.Option(help="scout, sam or sam-med3d; default: the recipe's"),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="the weights to begin with: .pth, .safetensors, or what pretrain-scout wrote",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, help="most steps; left-out labels say how many of them are taken"
        ),
    ] = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Adapt a generalist to the labeled cases, as far as labels that are left out say it helps."""
    from samssl_cli.stages.adapt import adapt as stage

    resolved = opt.resolve(recipe, overrides, adapt__steps=steps, sam_label__generalist=generalist)
    with TerminalProgress() as progress:
        path = stage(
            cases,
            output,
            weights=checkpoint,
            recipe=resolved,
            seed=seed,
            device=device,
            force=force,
            progress=progress,
        )
    say(path)
