"""The next batch, prepared while the device computes with this one."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic

from samssl_cli.training.loop import AnyBatch, Batches


class Ahead(Generic[AnyBatch]):
    """Batches of which each is begun, in a thread, as soon as the one before it is taken.

    A batch depends on its step alone, so these are the same. Any step may be asked for; what was
    begun for another one is lost.
    """

    def __init__(self, batches: Batches[AnyBatch]) -> None:
        """Nothing is begun yet."""
        self._batches = batches
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="samssl-batches")
        self._begun: tuple[int, Future[AnyBatch]] | None = None

    def batch(self, step: int) -> AnyBatch:
        """The batch of a step; the next one is begun."""
        taken = self._begin(step)
        self._begun = step + 1, self._begin(step + 1)
        return taken.result()

    def _begin(self, step: int) -> "Future[AnyBatch]":
        if self._begun is not None and self._begun[0] == step:
            return self._begun[1]
        return self._thread.submit(self._batches.batch, step)
