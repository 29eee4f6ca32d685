"""What methods share whose student has more heads or decoders than its own while it is trained."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import RampedWeight
from samssl_cli.networks.decoders import halves


@dataclass(frozen=True)
class Seen:
    """What the student's two halves gave for one batch, the labeled patches first."""

    levels: list[Tensor]
    """The encoder's features, finest first."""
    features: list[Tensor]
    """The decoder's features, coarsest first; the last are what the head takes."""
    logits: Tensor
    """(B, classes, I, J, K) float32."""
    num_labeled: int


class Branched(Method, ABC):
    """A student with branches: heads or decoders with weights of their own.

    total = supervised(outputs(x_l), y_l) + agreement(...) + w_sam(step) * pseudo(outputs(x_u), q)

    A subclass says what the branches are, which of their outputs are held to labels and to
    pseudo-labels (`outputs`, whose losses are averaged), and what has to agree (`agreement`). The
    branches are part of the state; what predicts in the end is the student alone.
    """

    class Options(RampedWeight):
        """Options of every method with branches."""

    learns_from_unlabeled: ClassVar[bool] = True

    def __init__(self, student: nn.Module, options: Mapping[str, Any], **more: Any) -> None:
        """Take the student apart and build the branches, with random weights.

        Raises:
            RecipeError: when an option is unknown or out of range, or the student has no decoder.
        """
        super().__init__(student, options, **more)
        self.halves = halves(student)
        self.decoder = self.halves.decoder()
        self.branches = self.build_branches()

    @abstractmethod
    def build_branches(self) -> nn.Module:
        """The heads and decoders beside the student's own, on its device."""

    def modules(self) -> dict[str, nn.Module]:
        """The student and its branches."""
        return {"student": self.student, "branches": self.branches}

    def trained(self) -> dict[str, nn.Module]:
        """Both of them."""
        return self.modules()

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the weighted loss terms of one step; their sum is to be minimised."""
        seen = self.look(batch)
        outputs = self.outputs(seen)
        labeled = [self.supervised_loss(batch, one[: seen.num_labeled]) for one in outputs]
        losses = {"supervised": mean(labeled)}
        losses |= self.agreement(seen, outputs, batch, step)
        if batch.pseudo is not None:
            unlabeled = [one[seen.num_labeled :] for one in outputs]
            losses["sam"] = mean([self.pseudo_loss(batch.pseudo, one, step) for one in unlabeled])
        return losses

    def look(self, batch: Batch) -> Seen:
        """Pass the labeled and the unlabeled patches through the student, half by half."""
        levels = self.halves.encode(self.images(batch))
        features = self.decoder.features(levels)
        logits = self.decoder.head(features[-1]).float()
        return Seen(levels, features, logits, len(batch.labeled_image))

    def outputs(self, seen: Seen) -> list[Tensor]:
        """Every logits (B, classes, I, J, K) that learn from labels, the student's first."""
        return [seen.logits]

    @abstractmethod
    def agreement(
        self, seen: Seen, outputs: list[Tensor], batch: Batch, step: int
    ) -> dict[str, Tensor]:
        """Weighted terms between the branches; `seen` may hold labeled patches alone."""

    def weight_at(self, step: int) -> float:
        """The weight of the consistency term at `step`, counted from 0."""
        return float(self.options.weight_at(step, self.steps))


def mean(losses: Sequence[Tensor]) -> Tensor:
    """The mean of scalars."""
    return torch.stack(list(losses)).mean()
