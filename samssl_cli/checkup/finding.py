"""What a check has to say, in one line, and what to do about it, in another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One fact about this machine; `vars` gives JSON values."""

    name: str
    """What was looked at, the same on every machine: "torch", "locks"."""
    severity: Severity
    """`problem`: something will fail. `note`: something is slower, missing or risky."""
    found: str
    """One line for a person."""
    cure: str = ""
    """What to do, in one line; empty when there is nothing to do."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same for a program, as JSON values; sizes in bytes."""


def gb(num_bytes: float) -> str:
    """A size as people read it, in units of 10^9 bytes: "1.5 GB"."""
    return f"{num_bytes / 1e9:.1f} GB"


def one_line(problem: BaseException | str) -> str:
    """An error by its name and the first line of its message."""
    if isinstance(problem, str):
        return " ".join(problem.split())
    lines = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {lines[0].strip()}" if lines else type(problem).__name__
