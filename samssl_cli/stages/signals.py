"""Signals that ask a run to stop: a run that was asked never ends with exit code 0.

From the first line of the program a signal ends it at once, with the code that tells why. While a
stage works, it is only remembered, and the stage stops between two units of work.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from samssl_cli.errors import Interrupted

STOPPING = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)

Handler = Callable[[int, FrameType | None], None]


class StopRequest:
    """Remembers the first signal that asked the run to stop."""

    def __init__(self) -> None:
        """Begin with none."""
        self.signum: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether a signal arrived."""
        return self.signum is not None

    def raise_if_set(self) -> None:
        """Leave the stage between two units of work; what is done is kept.

        Raises:
            Interrupted: when a signal arrived.
        """
        if self.signum is not None:
            raise Interrupted(self.signum)


def leave_on_signals() -> None:
    """Until a stage takes over, let a signal end the process with its exit code."""
    for number in STOPPING:
        signal.signal(number, _leave)


@contextmanager
def signals_as_stop_request() -> Iterator[StopRequest]:
    """Turn SIGUSR1, SIGTERM and SIGINT into a request; a second SIGINT aborts at once."""
    stop = StopRequest()

    def remember(signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT and stop.signum == signal.SIGINT:
            _leave(signum, frame)
        stop.signum = stop.signum or signum

    before = {number: signal.signal(number, remember) for number in STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(signum: int, _frame: FrameType | None) -> None:
    """End the process. Not by `Interrupted`: a library's `except Exception` would swallow it."""
    reason = Interrupted(signum)
    with suppress(OSError):  # the log may lie on a full disk
        sys.stderr.write(f"samssl: {reason}\n")
    sys.exit(reason.exit_code)
