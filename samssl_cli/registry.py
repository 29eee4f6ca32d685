"""Tables of exchangeable parts that can be read without importing the parts.

Each room (`methods`, `networks`, `generalists`, `prompts`, `metrics`) holds one plain dict from a
name to an `Entry`. `samssl list` and `--help` read the dict; only `load` imports the module behind
a row, so that listing never waits for torch.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from samssl_cli.errors import UsageError


@dataclass(frozen=True)
class Entry:
    """One row of a table: where the part lives, what it does, and where it comes from."""

    target: str
    """`package.module:name` of the class or function."""
    summary: str
    """One line for `samssl list`."""
    source: str
    """The paper or implementation that defines it."""


def load(table: Mapping[str, Entry], name: str, *, kind: str) -> Any:
    """Import and return the part called `name`.

    Args:
        table: one of the rooms' tables.
        name: a key of the table.
        kind: the word for a row, for the message ("method", "network").

    Raises:
        UsageError: when the table has no such row; the message lists those it has.
    """
    check_name(table, name, kind=kind)
    module, _, attribute = table[name].target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def check_name(table: Mapping[str, object], name: str, *, kind: str) -> None:
    """Raise a `UsageError` that lists the known names unless `name` is one of them."""
    if name not in table:
        raise UsageError(f"unknown {kind} {name!r}; known: {', '.join(sorted(table))}")
