"""`samssl export ARTIFACT --to DIR`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli.console import TerminalProgress, say


def export(
    artifact: Annotated[
        Path, typer.Argument(metavar="ARTIFACT", help="cases, prompts, pseudo or scores")
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="folder for CASE.nii.gz")],
    force: Annotated[bool, typer.Option("--force", help="replace label maps in DIR")] = False,
) -> None:
    """Write the label maps of an artifact as NIfTI, in the native grid of their images."""
    from samssl_cli.stages.export import export as stage

    with TerminalProgress() as progress:
        paths = stage(artifact, to, force=force, progress=progress)
    say("\n".join(str(path) for path in paths))
