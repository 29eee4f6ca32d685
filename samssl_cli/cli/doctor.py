"""`samssl doctor [DIR]...`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from samssl_cli.cli.console import say

_COLOURS = {"ok": "green", "note": "yellow", "problem": "bold red"}


def doctor(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR]...", help="where artifacts will go; default: here"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
) -> None:
    """Examine this machine: packages, devices, memory, weights, folders; say what to do."""
    import json

    from samssl_cli.stages.doctor import examine

    report = examine([folder.absolute() for folder in folders or [Path()]])
    if as_json:
        say(json.dumps(report, indent=2))
    elif sys.stdout.isatty():
        _show(report)
    else:
        say("\n".join([*map(_line, report["findings"]), _verdict(report)]))
    if not report["is_healthy"]:
        raise typer.Exit(1)


def _line(finding: dict[str, Any]) -> str:
    told = f"{finding['severity']:<7}  {_where(finding)}: {finding['found']}"
    return f"{told}\n         do: {finding['cure']}" if finding["cure"] else told


def _where(finding: dict[str, Any]) -> str:
    return f"{finding['group']}/{finding['name']}"


def _verdict(report: dict[str, Any]) -> str:
    counts = report["counts"]
    problems, notes = (_counted(counts[kind], kind) for kind in ("problem", "note"))
    return f"{problems}, {notes}, {counts['ok']} as they should be"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _show(report: dict[str, Any]) -> None:
    """The same as a table, for a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "what", "found, and what to do", box=None, pad_edge=False)
    for finding in report["findings"]:
        colour = _COLOURS[finding["severity"]]
        told = Text(finding["found"])
        if finding["cure"]:
            told.append(f"\n-> {finding['cure']}", style=colour)
        table.add_row(Text(finding["severity"], style=colour), Text(_where(finding)), told)
    console = Console()
    console.print(table)
    console.print(Text(_verdict(report)))
