"""`samssl verify ARTIFACT`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli.console import TerminalProgress, say


def verify(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="any .zarr of samssl")],
) -> None:
    """Read every byte of an artifact and name what is damaged."""
    from samssl_cli.stages.inspect import verify as stage

    with TerminalProgress() as progress:
        stage(artifact, progress)
    say(f"{artifact} is whole")
