"""What every stage shares: up to date, resume, signals, and the seal."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from samssl_cli.artifacts.draft import Draft, Store, is_up_to_date, open_draft
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import Interrupted
from samssl_cli.progress import Progress


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


@dataclass(frozen=True)
class Work:
    """What a stage is given to do its work with."""

    draft: Draft
    stop: StopRequest
    progress: Progress

    def each_pending(self, store: Store, names: Sequence[str], title: str) -> Iterator[str]:
        """Go over the members that no earlier run finished, one unit of progress each."""
        pending = [name for name in names if not store.has(name)]
        self.progress.start(title, total=len(names), done=len(names) - len(pending))
        for name in pending:
            self.stop.raise_if_set()
            yield name
            self.progress.advance({"case": name})


def run_stage(
    plan: Plan,
    output: Path,
    *,
    work: Callable[[Work], None],
    force: bool,
    progress: Progress,
    check: Callable[[], None] = lambda: None,
) -> Path:
    """Bring `output` to the state of `plan`: do nothing, resume, or begin; then seal it.

    Args:
        plan: what is wanted; decides whether there is anything to do.
        output: path of the artifact.
        work: writes the members and calls `draft.seal`.
        force: replace an artifact, or an unfinished one, of another plan.
        progress: where to report.
        check: looks at the inputs before anything is written.

    Raises:
        SamsslError: as the stage's parts do.
        Interrupted: after a signal; the next run resumes.
    """
    if is_up_to_date(output, plan, force=force):
        progress.note(f"{output} is up to date")
        return output
    check()
    with open_draft(output, plan, force=force) as draft, _signals_as_stop_request() as stop:
        if draft is None:
            progress.note(f"{output} is up to date")
            return output
        if draft.is_resumed:
            progress.note(f"resuming {output}")
        work(Work(draft, stop, progress))
    return output


@contextmanager
def _signals_as_stop_request() -> Iterator[StopRequest]:
    """Turn SIGUSR1, SIGTERM and SIGINT into a request; a second SIGINT aborts at once."""
    stop = StopRequest()

    def remember(signum: int, _frame: FrameType | None) -> None:
        if signum == signal.SIGINT and stop.signum == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signum = stop.signum or signum

    numbers = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
