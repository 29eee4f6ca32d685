"""What people see: bars on a terminal, plain lines in a log; all of it on stderr."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress as Bars

    from samssl_cli.report.plain_table import PlainTable

_SECONDS_BETWEEN_LINES = 30.0
_WIDTH_OF_A_LOG = 120
_WIDTH_OF_A_TERMINAL = 80  # that does not tell


class TerminalProgress:
    """A bar per task where stderr is a terminal, a line now and then where it is a log."""

    def __init__(self) -> None:
        """Draw nothing until there is something to draw."""
        self._bars: Bars | None = None
        self._title, self._total, self._done = "", 0, 0
        self._last_line = 0.0

    def __enter__(self) -> "TerminalProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def start(self, title: str, *, total: int, done: int = 0) -> None:
        """Begin a task; the one before is over."""
        self._close()
        self._title, self._total, self._done = title, total, done
        if sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
            self._bars.add_task(title, total=total, completed=done, detail="")
        self._last_line = time.monotonic()

    def advance(self, detail: Mapping[str, float | str] | None = None) -> None:
        """Count one unit as done."""
        self._done += 1
        shown = "  ".join(f"{key} {_short(value)}" for key, value in (detail or {}).items())
        if self._bars is not None:
            self._bars.update(self._bars.task_ids[0], completed=self._done, detail=shown)
        elif self._is_time_for_a_line():
            _line(f"{self._title} {self._done}/{self._total}  {shown}")

    def note(self, message: str) -> None:
        """Tell one line."""
        if self._bars is not None:
            self._bars.console.print(message, markup=False, highlight=False)
        else:
            _line(message)

    def _is_time_for_a_line(self) -> bool:
        now = time.monotonic()
        if self._done < self._total and now - self._last_line < _SECONDS_BETWEEN_LINES:
            return False
        self._last_line = now
        return True

    def _close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def note_error(problem: BaseException | str) -> None:
    """Tell what went wrong, in red where there is colour."""
    from rich.console import Console

    who = "samssl" if _rank() == "0" else f"samssl, process {_rank()}"
    with _log_or_nothing():
        Console(stderr=True, soft_wrap=True).print(f"{who}: {problem}", style="red", markup=False)


def say(result: object) -> None:
    """Put a result on stdout: a path, or one JSON document."""
    try:
        sys.stdout.write(f"{result}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `head` does; nor flush at exit
        _write_nowhere(sys.stdout)


def say_path(path: "Path | None") -> None:
    """Put the path of an artifact on stdout; nothing while other shards have to do theirs."""
    if path is not None:
        say(path)


def show_table(table: "PlainTable") -> None:
    """Show a table on stderr, in a log as wide as it is."""
    from samssl_cli.report.plain_table import table_lines

    width = _terminal_width()
    if not sys.stderr.isatty():
        width = max(width, _WIDTH_OF_A_LOG)
    with _log_or_nothing():
        sys.stderr.write("".join(f"{line}\n" for line in table_lines(table, width)))
        sys.stderr.flush()


def _terminal_width() -> int:
    """How many cells a line of stderr has: what COLUMNS says, or else the terminal."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _WIDTH_OF_A_TERMINAL
    except (OSError, ValueError):  # no terminal, or a stream without a file, as under pytest
        return _WIDTH_OF_A_TERMINAL


def _line(message: str) -> None:
    stamp = time.strftime("%H:%M:%S")
    with _log_or_nothing():
        sys.stderr.write(f"{stamp} {message.rstrip()}\n")
        sys.stderr.flush()


@contextmanager
def _log_or_nothing() -> Iterator[None]:
    """A log that cannot be written, as on a full disk, is no reason to end the work."""
    try:
        yield
    except OSError:
        _write_nowhere(sys.stderr)


def _write_nowhere(stream: TextIO) -> None:
    """From now on; what the stream still holds must not fail at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _rank() -> str:
    """Which of the processes that torchrun started this is."""
    return os.environ.get("RANK", "0")


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"


def _bars() -> "Bars":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
        console=Console(stderr=True),
    )
