"""`samssl prompt cases.zarr specialist.zarr -o prompts.zarr`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say_path
from samssl_cli.errors import UsageError


def prompt(
    cases: opt.Cases,
    output: opt.Output,
    specialist: Annotated[
        Path | None, typer.Argument(metavar="[SPECIALIST]", help="a checkpoint")
    ] = None,
    first_guess: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="instead of a specialist: see `samssl list guesses`; from the labeled cases "
            "alone, without training",
        ),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="the weights of the generalist whose features a first guess uses",
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="mask, box, points, uncertain-points; several are used together"),
    ] = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    shard: opt.Share = None,
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Let the specialist, or a first guess, predict the unlabeled cases; place prompts on them."""
    stage = _stage(cases, specialist, first_guess, output, checkpoint or [])
    resolved = opt.resolve(recipe, overrides, prompt__strategies=strategy)
    with TerminalProgress() as progress:
        path = stage(
            recipe=resolved,
            seed=seed,
            device=device,
            force=force,
            progress=progress,
            shard=opt.shard(shard),
        )
    say_path(path)


def _stage(
    cases: Path, specialist: Path | None, first_guess: str | None, output: Path, weights: list[str]
) -> Callable[..., Path | None]:
    """What remains to be told of the recipe, and how it is to be run.

    Raises:
        UsageError: unless exactly one of the two is to predict.
    """
    if specialist is not None and first_guess is not None:
        raise UsageError(
            f"{specialist} and --first-guess {first_guess} would both predict; leave out one"
        )
    if first_guess is not None:
        from samssl_cli.stages.first_guess import first_guess as guess

        given = opt.checkpoints(weights) if weights else None
        return partial(guess, cases, first_guess, output, weights=given)
    if specialist is None:
        raise UsageError(
            "nobody is to predict: name a specialist, as in samssl prompt cases.zarr "
            "specialist.zarr, or --first-guess template, which needs labeled cases alone"
        )
    if weights:
        raise UsageError(
            f"--checkpoint {weights[0]}: a specialist asks no generalist here; leave it out"
        )
    from samssl_cli.stages.prompt import prompt as predict

    return partial(predict, cases, specialist, output)
