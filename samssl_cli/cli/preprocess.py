"""`samssl preprocess DATA -o cases.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say_path


def preprocess(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="nnU-Net, MSD, UA-MT or SSL4MIS folder")
    ],
    output: opt.Output,
    labeled: Annotated[
        str | None,
        typer.Option(
            metavar="N|FILE", help="use the first N labeled cases, or those named in a file"
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON with the roles labeled, unlabeled and test"),
    ] = None,
    spacing_mm: Annotated[
        str | None, typer.Option(metavar="median|keep|X,Y,Z", help="grid to resample to")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="cases at the same time; 0: one per core")
    ] = 0,
    shard: opt.Share = None,
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Read a data set, check it, and bring it to one grid and intensity scale."""
    from samssl_cli.stages.device import num_cores
    from samssl_cli.stages.preprocess import preprocess as stage

    resolved = opt.resolve(recipe, overrides, preprocess__spacing_mm=_spacing(spacing_mm))
    with TerminalProgress() as progress:
        path = stage(
            data,
            output,
            labeled=_labeled(labeled),
            split_path=split,
            recipe=resolved,
            num_workers=workers or num_cores(),
            force=force,
            progress=progress,
            shard=opt.shard(shard),
        )
    say_path(path)


def _spacing(text: str | None) -> str | list[float] | None:
    if text is None or text in ("median", "keep"):
        return text
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            "--spacing-mm takes median, keep, or three numbers: 1,1,1.5"
        ) from error


def _labeled(text: str | None) -> int | tuple[str, ...] | None:
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    from samssl_cli.volumes.datasets.roles import read_names

    return read_names(Path(text))
