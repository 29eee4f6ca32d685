"""Many cases at the same time, in processes of their own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from samssl_cli.errors import SamsslError
from samssl_cli.stages.signals import STOPPING, StopRequest

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

Result = TypeVar("Result")


class Workers:
    """A pool of processes, started when it is first needed."""

    def __init__(self, num_workers: int) -> None:
        """Remember how many; with one, everything happens in this process."""
        self._num_workers = num_workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def each(
        self, function: Callable[[str], Result], names: Sequence[str], *, stop: StopRequest
    ) -> Iterator[tuple[str, Result]]:
        """Call `function` for every name and give the results as they come.

        Args:
            function: importable by a new process, with all that it needs.
            names: of the cases.
            stop: looked at after every result.

        Raises:
            Interrupted: after a signal, once the cases that were being worked on are done.
            SamsslError: when a worker died; what the function itself raises, too.
        """
        if self._num_workers <= 1 or len(names) <= 1:
            for name in names:
                stop.raise_if_set()
                yield name, function(name)
            return
        from concurrent.futures import as_completed
        from concurrent.futures.process import BrokenProcessPool

        futures = self._submit(function, names)
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
                stop.raise_if_set()
        except BrokenProcessPool as error:
            stop.raise_if_set()  # a signal to the whole process group ends the workers first
            raise SamsslError(
                f"one of {self._num_workers} worker processes died, as the system's memory guard "
                "makes them; use fewer --workers. What is done is kept: run the same command again"
            ) from error

    def _submit(
        self, function: Callable[[str], Result], names: Sequence[str]
    ) -> dict[Future[Result], str]:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with _signals_held_back():  # the first submit starts the workers, which inherit this
            if self._pool is None:
                spawn = get_context("spawn")
                self._pool = ProcessPoolExecutor(self._num_workers, spawn, _follow_parent)
            return {self._pool.submit(function, name): name for name in names}


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Block the signals that stop a run: in worker processes they are the parent's business."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow_parent() -> None:
    """Prepare a worker: it must not outlive a killed parent, nor refuse to be ended by it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)
