"""`samssl export ARTIFACT --to DIR`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli.console import TerminalProgress, say


def export(
    artifact: Annotated[
        Path, typer.Argument(metavar="ARTIFACT", help="cases, prompts, pseudo or scores")
    ],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="folder for CASE.nii.gz or CASE.ome.zarr")
    ],
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="nifti|ome-zarr",
            help="label maps in the grid of their images, or image and label map for viewers",
        ),
    ] = "nifti",
    images: Annotated[
        bool,
        typer.Option(
            "--images", help="also write CASE_image.nii.gz: preprocessed, on a grid of its own"
        ),
    ] = False,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="CASES", help="cases.zarr, for the images of the others"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace what is in DIR")] = False,
) -> None:
    """Write what an artifact holds as NIfTI, in the grid of the images, or as OME-Zarr 0.5."""
    from samssl_cli.stages.export import export as stage

    with TerminalProgress() as progress:
        paths = stage(
            artifact,
            to,
            file_format=file_format,
            with_images=images,
            cases_path=cases,
            force=force,
            progress=progress,
        )
    say("\n".join(str(path) for path in paths))
