"""Commands that are imported and built when somebody asks for one.

To import and build all of them takes 4 % of the time of a stage that has nothing to do.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer


@dataclass(frozen=True)
class LateCommand:
    """Where a command is."""

    module: str
    attribute: str
    """The name of a function, or of a `typer.Typer` with commands of its own."""
    title: str
    """Under which help lists it."""

    def build(self, name: str) -> Any:
        """Import it, and let typer make a command of it."""
        found = getattr(import_module(self.module), self.attribute)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.callback()(_nothing)  # a group, whatever it holds
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name, rich_help_panel=self.title)
        else:
            alone.command(name, rich_help_panel=self.title)(found)
        return typer.main.get_group(alone).commands[name]


class LateCommands(MutableMapping[str, Any]):
    """Name to command, as the groups of typer hold them; their names need no import."""

    def __init__(self, known: Mapping[str, LateCommand]) -> None:
        """Nothing is built yet."""
        self._known: dict[str, Any] = dict(known)

    def __getitem__(self, name: str) -> Any:
        """The command, built the first time."""
        found = self._known[name]
        if isinstance(found, LateCommand):
            found = self._known[name] = found.build(name)
        return found

    def __setitem__(self, name: str, command: Any) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _nothing() -> None:
    """What the group that is thrown away again does."""
