"""`samssl weights list | verify | convert | where`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from samssl_cli.cli.console import TerminalProgress, say
from samssl_cli.cli.help_page import TitledCommands

weights = typer.Typer(
    cls=TitledCommands,
    help="The weights of generalists: which there are, whether a file is sound, a safe copy.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="print everything as JSON")]


@weights.command("list")
def list_rows(as_json: AsJson = False) -> None:
    """List the published weights that samssl can load, and which of them are here."""
    from samssl_cli.stages.weights import list_weights

    rows = list_weights()
    say(_json(rows) if as_json else "\n\n".join(map(_row, rows)))


@weights.command("verify")
def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="weights: .pth, .pt, .safetensors or a folder")
    ],
    as_json: AsJson = False,
) -> None:
    """Load a weights file without running code in it: which model, which digest."""
    from samssl_cli.stages.weights import verify_weights

    facts = verify_weights(file)
    if as_json:
        say(_json(facts))
    else:
        say("\n".join(f"{key}: {value}" for key, value in facts.items() if value))


@weights.command("convert")
def convert(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="weights, .pth, or a generalist.zarr")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="where the .safetensors goes")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="replace a file that was made from another")
    ] = False,
) -> None:
    """Copy tensors, bit by bit, into a .safetensors file, which can hold no code."""
    from samssl_cli.stages.weights import convert_weights

    with TerminalProgress() as progress:
        path = convert_weights(file, output, force=force, progress=progress)
    say(path)


@weights.command("where")
def where(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a name of `samssl weights list`")],
) -> None:
    """Print the path of weights that are here, or say how to get them."""
    from samssl_cli.stages.weights import locate

    say(locate(name))


def _row(row: dict[str, Any]) -> str:
    size = "" if row["num_bytes"] is None else f", {row['num_bytes'] / 1e6:.0f} MB"
    terms = row["licence"] + (" (NON-COMMERCIAL)" if row["non_commercial"] else "")
    digest = f"sha256 {row['sha256']}" if row["sha256"] else f"md5 {row['md5'] or 'unknown'}"
    return "\n".join(
        [
            row["name"],
            f"  {row['title']}{size}, for generalist {row['generalist']}; licence {terms}",
            f"  {row['file']}  {digest}",
            f"  from {row['page']}",
            f"  {row['found'] or 'not here yet'}",
        ]
    )


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2)
