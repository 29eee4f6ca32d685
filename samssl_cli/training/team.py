"""Several processes that train together: what they say to each other, and nothing else.

Every rank holds the same weights and the same batch. What differs is which patches of a batch a
rank sends through a network (`training.shared`); the loss is computed on all of them by everyone.
Whatever a rank decides on is the same on all of them, or is agreed on here.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from samssl_cli.errors import TrainingError, UsageError


class Team:
    """The ranks of one training; a process that trains alone is a team of one."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        """Keep who we are; `join` makes a team of several.

        Args:
            rank: ours, from 0.
            size: number of ranks.
            device: where the tensors of `share` and `largest` travel; the CPU if None.
        """
        self.rank, self.size = rank, size
        self._device = device or torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that reads states and writes everything."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of `count` patches are ours: consecutive ones, as many as everyone's or one less.

        With fewer patches than ranks, some have none.
        """
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum over all ranks, the same bits everywhere; the tensor itself may hold it."""
        if self.size > 1:
            _talk(lambda: distributed.all_reduce(tensor))
        return tensor

    def collect(self, ours: Tensor, count: int) -> Tensor:
        """Put the ranks' shares (n, ...) of `count` patches together: (count, ...)."""
        counts = [len(range(count)[Team(r, self.size).share(count)]) for r in range(self.size)]
        padded = ours.new_zeros((max(counts), *ours.shape[1:]))
        padded[: len(ours)] = ours
        parts = [torch.empty_like(padded) for _ in counts]
        _talk(lambda: distributed.all_gather(parts, padded))
        return torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)])

    def largest(self, number: int) -> int:
        """The largest number that any rank gives: what all of them go by."""
        if self.size == 1:
            return number
        told = torch.tensor(number, device=self._device)
        _talk(lambda: distributed.all_reduce(told, distributed.ReduceOp.MAX))
        return int(told)

    def hand_out(self, data: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """Give the bytes of the first rank to all; the others give None."""
        if self.size == 1:
            return data
        length = self.largest(-1 if data is None else data.size)
        if length < 0:
            return None
        told = torch.empty(length, dtype=torch.uint8, device=self._device)
        if data is not None:
            told.copy_(torch.from_numpy(data.copy()))
        _talk(lambda: distributed.broadcast(told, 0))
        return told.cpu().numpy()

    def add_up_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by the sum over the ranks, all of them in one message.

        A parameter without a gradient has none on any rank.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.size == 1 or not gradients:
            return
        whole = self.add_up(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        sums = torch.split(whole, [gradient.numel() for gradient in gradients])
        for gradient, total in zip(gradients, sums, strict=True):
            gradient.copy_(total.view(gradient.shape))

    def wait(self) -> None:
        """Go on once every rank has come here."""
        self.largest(0)


def join(rank: int, size: int, device: torch.device, *, timeout_s: float) -> Team:
    """Meet the other ranks at the address in the environment, over gloo or, for CUDA, NCCL.

    Raises:
        UsageError: when the environment does not say where.
        TrainingError: when they do not come within `timeout_s`.
    """
    try:
        distributed.init_process_group(
            "nccl" if device.type == "cuda" else "gloo", timeout=timedelta(seconds=timeout_s)
        )
    except ValueError as error:
        raise UsageError(
            f"the environment says that {size} processes train together, but not where they "
            f"meet ({error}): start them with torchrun, or unset WORLD_SIZE and RANK"
        ) from error
    except RuntimeError as error:  # DistStoreError and DistNetworkError are
        raise TrainingError(
            f"the {size} processes of this training did not meet within {timeout_s:.0f} s: {error}"
        ) from error
    return Team(rank, size, device)


def leave() -> None:
    """End what `join` began, where all ranks do so."""
    distributed.destroy_process_group()


def _talk(call: Callable[[], object]) -> None:
    """Say something to the others.

    Raises:
        TrainingError: when one of them is gone, or does not answer in time.
    """
    try:
        call()
    except RuntimeError as error:
        raise TrainingError(
            f"another process of this training is gone or does not answer ({error}). The last "
            "saved state is kept: run the same command again, on as many processes as you like"
        ) from error
