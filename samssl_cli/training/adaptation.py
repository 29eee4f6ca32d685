"""How a generalist learns from lessons: Dice, cross-entropy, and a running mean of the weights."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.generalists.lesson import Taught, Trainable


class Adaptation:
    """Teach the trained parts of a generalist the masks that were meant.

    total = mean over the answers of (1 - Dice_w(p, y)) + cross-entropy_w(p, y)

    with Dice_w = 2 sum(w p y) / sum(w (p + y)), the mean over voxels weighted by w, and w = 1 where
    a lesson does not say. The mean of the weights begins at those from before.
    Source: V-Net (Milletari et al., 3DV 2016) for the Dice term; Tarvainen & Valpola, NeurIPS 2017,
    for averaging the weights.
    """

    def __init__(self, generalist: Trainable[Any], parts: nn.Module, *, decay: float) -> None:
        """Take a generalist and what `training_parts` gave of it."""
        self.student = parts
        self._generalist, self._decay = generalist, decay
        self._average = copy.deepcopy(parts).requires_grad_(False)

    def modules(self) -> dict[str, nn.Module]:
        """The trained parts, and their mean."""
        return {"student": self.student, "average": self._average}

    def trained(self) -> dict[str, nn.Module]:
        """The trained parts alone; their mean follows."""
        return {"student": self.student}

    def forward(self, batch: Sequence[Any], step: int) -> dict[str, Tensor]:
        """Compute the loss terms of one step; zero when there is nothing to learn from it."""
        answers = self._generalist.answer(batch)
        if not answers:
            nothing = torch.zeros((), requires_grad=True)
            return {"dice": nothing, "cross-entropy": nothing * 1}
        counts = [len(answer.logits) for answer in answers]
        shares = [count / sum(counts) for count in counts]
        both = [_losses(answer) for answer in answers]
        return {
            "dice": _weighted(shares, [dice for dice, _ in both]),
            "cross-entropy": _weighted(shares, [entropy for _, entropy in both]),
        }

    def after_step(self, step: int) -> None:
        """Let the mean follow."""
        for mean, value in zip(self._average.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(value.detach(), 1 - self._decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the generalist answer with the mean of its weights for a while."""
        kept = copy.deepcopy(self.student.state_dict())
        self.student.load_state_dict(self._average.state_dict())
        try:
            yield
        finally:
            self.student.load_state_dict(kept)


def _losses(answer: Taught) -> tuple[Tensor, Tensor]:
    """The two terms of one answer, averaged over its samples."""
    logits = answer.logits.float().flatten(1)  # (B, N)
    target = answer.target.flatten(1)
    weight = torch.ones_like(target) if answer.weight is None else answer.weight.flatten(1)
    probability = logits.sigmoid() * weight
    overlap = 2 * (probability * target).sum(1)
    total = (probability + weight * target).sum(1)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
    mean = entropy.sum(1) / weight.sum(1).clamp_min(1)
    return 1 - (overlap / (total + 1e-6)).mean(), mean.mean()


def _weighted(shares: Sequence[float], losses: Sequence[Tensor]) -> Tensor:
    return torch.stack([share * loss for share, loss in zip(shares, losses, strict=True)]).sum()
