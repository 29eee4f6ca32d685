"""How `scout` learns from scenes: Dice, cross-entropy, and a running mean of the weights."""

from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.training.scout_batches import ScoutBatch

_WARM_UP = 100  # steps until the running mean forgets slowly


class ScoutPretraining:
    """Teach a network the mask that was meant; predict with the running mean of its weights.

    total = mean over the batch of (1 - Dice(p, y)) + cross-entropy(p, y)

    with Dice = 2 sum(p y) / sum(p + y), and the mean of the weights with decay
    min(decay, (1 + step) / (100 + step)).
    Source: V-Net (Milletari et al., 3DV 2016) for the Dice term; Tarvainen & Valpola, NeurIPS 2017,
    for averaging the weights.
    """

    def __init__(self, student: nn.Module, average: nn.Module, *, decay: float) -> None:
        """Take two networks with the same weights."""
        self.student, self._average, self._decay = student, average.requires_grad_(False), decay

    def modules(self) -> dict[str, nn.Module]:
        """Both networks."""
        return {"student": self.student, "average": self._average}

    def trained(self) -> dict[str, nn.Module]:
        """The network that learns; the other follows."""
        return {"student": self.student}

    def predictor(self) -> nn.Module:
        """The one to predict with."""
        return self._average

    def forward(self, batch: ScoutBatch, step: int) -> dict[str, Tensor]:
        """Compute the loss terms of one step."""
        logits = self.student(batch.inputs).float()
        return {
            "dice": soft_dice_loss(logits.sigmoid(), batch.target),
            "cross-entropy": functional.binary_cross_entropy_with_logits(logits, batch.target),
        }

    def after_step(self, step: int) -> None:
        """Let the mean follow."""
        decay = min(self._decay, (1 + step) / (_WARM_UP + step))
        for mean, value in zip(self._average.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(value.detach(), 1 - decay)


def soft_dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """One minus the Dice of each sample, averaged: (B, 1, I, J, K) twice to a scalar."""
    axes = (1, 2, 3, 4)
    overlap = 2 * (probability * target).sum(axes)
    return 1 - (overlap / (probability.sum(axes) + target.sum(axes) + 1e-6)).mean()
