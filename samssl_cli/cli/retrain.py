"""`samssl retrain cases.zarr pseudo.zarr -o student.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say

_SCRATCH = "scratch"


def retrain(
    cases: opt.Cases,
    pseudo: Annotated[Path, typer.Argument(metavar="PSEUDO", help="pseudo.zarr")],
    output: opt.Output,
    init: Annotated[
        str, typer.Option(metavar="CHECKPOINT|scratch", help="weights to begin with")
    ] = _SCRATCH,
    method: Annotated[
        str | None,
        typer.Option(help="supervised, mean-teacher, cps, …; see `samssl list methods`"),
    ] = None,
    sam_weight: Annotated[
        float | None,
        typer.Option(min=0, help="of the pseudo-labels beside the method; default: the recipe's"),
    ] = None,
    steps: opt.Steps = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    tensorboard: opt.TensorBoard = None,
    volumes_gb: opt.VolumesGb = opt.DEFAULT_VOLUMES_GB,
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Train a student on the true labels and the pseudo-labels."""
    from samssl_cli.stages.ranks import is_first_process
    from samssl_cli.stages.retrain import retrain as stage

    resolved = opt.resolve(
        recipe,
        overrides,
        retrain__method=method,
        retrain__sam_weight=sam_weight,
        retrain__steps=steps,
    )
    with TerminalProgress() as progress:
        path = stage(
            cases,
            pseudo,
            output,
            init_path=None if init == _SCRATCH else Path(init),
            recipe=resolved,
            seed=seed,
            device=device,
            force=force,
            progress=progress,
            volumes_gb=volumes_gb,
            tensorboard=tensorboard,
        )
    if is_first_process():
        say(path)
