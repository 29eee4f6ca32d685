"""How the parts tell a person how far they are, without knowing about terminals."""

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Where a stage reports to; the command line draws it, tests ignore it."""

    def start(self, title: str, *, total: int, done: int = 0) -> None:
        """Begin `total` units of work, of which `done` were finished by an earlier run."""

    def advance(self, detail: Mapping[str, float | str] | None = None) -> None:
        """Count one unit as done, with figures to show beside it (a loss, a case name)."""

    def note(self, message: str) -> None:
        """Tell the person one line, such as a warning or where a run was resumed."""


class Silent:
    """Report nowhere."""

    def start(self, title: str, *, total: int, done: int = 0) -> None:
        """Do nothing."""

    def advance(self, detail: Mapping[str, float | str] | None = None) -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Do nothing."""
