"""`samssl show ARTIFACT`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from samssl_cli.cli.console import say

_MOST_MEMBERS = 8


def show(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="any .zarr of samssl")],
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
) -> None:
    """Tell what an artifact is: inputs, options, seed, versions, sizes."""
    import json

    from samssl_cli.stages.inspect import describe

    described = describe(artifact)
    say(json.dumps(described, indent=2) if as_json else "\n".join(_lines(described)))


def _lines(described: dict[str, Any]) -> list[str]:
    members: dict[str, int] = described.pop("members")
    lines = [f"{name}: {value}" for name, value in _flat("", described)]
    lines.append(f"members: {len(members)}")
    shown = list(members.items())[:_MOST_MEMBERS]
    lines += [f"  {name}  {size / 1e6:.2f} MB" for name, size in shown]
    hidden = len(members) - len(shown)
    return [*lines, f"  ... and {hidden} more (--json lists all)"] if hidden else lines


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [
            line
            for key, inner in value.items()
            for line in _flat(f"{prefix}.{key}".lstrip("."), inner)
        ]
    return [(prefix, value)]
