"""`samssl train-ssl cases.zarr -o specialist.zarr`."""

from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say


def train_ssl(
    cases: opt.Cases,
    output: opt.Output,
    method: Annotated[
        str | None,
        typer.Option(help="supervised, mean-teacher, cps, …; see `samssl list methods`"),
    ] = None,
    network: Annotated[str | None, typer.Option(help="unet, vnet or segresnet")] = None,
    steps: opt.Steps = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    tensorboard: opt.TensorBoard = None,
    volumes_gb: opt.VolumesGb = opt.DEFAULT_VOLUMES_GB,
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Train the specialist on the labeled cases and all unlabeled ones."""
    from samssl_cli.stages.ranks import is_first_process
    from samssl_cli.stages.train_ssl import train_ssl as stage

    resolved = opt.resolve(
        recipe,
        overrides,
        train_ssl__method=method,
        train_ssl__steps=steps,
        network__name=network,
    )
    with TerminalProgress() as progress:
        path = stage(
            cases,
            output,
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
