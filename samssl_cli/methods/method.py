"""What every semi-supervised method is: a batch in, named losses out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from samssl_cli.methods.losses import cross_entropy, dice_ce, one_hot, squared_error
from samssl_cli.methods.ramps import sigmoid_ramp_down, sigmoid_ramp_up
from samssl_cli.recipe import Section, validate

_PSEUDO_LOSSES = {"dice-ce": dice_ce, "ce": cross_entropy, "mse": squared_error}


@dataclass(frozen=True)
class PseudoLabel:
    """What a generalist said about the unlabeled patches."""

    probability: Tensor
    """(B_u, classes, I, J, K) float32, summing to 1 over the classes."""
    confidence: Tensor
    """(B_u, I, J, K) float32 in 0-1: 0 where the answer was rejected."""


@dataclass(frozen=True)
class Batch:
    """One step's patches: a labeled and an unlabeled stream."""

    labeled_image: Tensor
    """(B_l, C, I, J, K) float32, augmented."""
    label: Tensor
    """(B_l, I, J, K) int64."""
    unlabeled_image: Tensor
    """(B_u, C, I, J, K) float32, augmented; B_u may be 0."""
    unlabeled_plain: Tensor
    """(B_u, C, I, J, K) float32: the same patches without the intensity changes."""
    pseudo: PseudoLabel | None = None


@dataclass(frozen=True)
class PseudoLabelTerm:
    """How strongly, when and in which form the student follows the pseudo-labels."""

    loss: Literal["dice-ce", "ce", "mse"]
    weight: float
    schedule: Literal["constant", "ramp-up", "ramp-down"]
    ramp_steps: int
    first_step: int = 0
    """The term is 0 before it, and the ramp begins with it."""

    def weight_at(self, step: int) -> float:
        """The weight of the term at `step`, counted from 0."""
        since = step - self.first_step
        if since < 0:
            return 0.0
        if self.schedule == "ramp-up":
            return self.weight * sigmoid_ramp_up(since, self.ramp_steps)
        if self.schedule == "ramp-down":
            return self.weight * sigmoid_ramp_down(since, self.ramp_steps)
        return self.weight


class Method:
    """A student, and what it is taught with.

    total = supervised(student(x_l), y_l) + consistency(...) + w_sam(step) * pseudo(student(x_u), q)

    A subclass adds `consistency`, extra networks in `modules` and, where they learn, in `trained`,
    and `after_step`; one with other passes than a single one of the student replaces `forward`. The
    pseudo-label term is there only in `retrain`, where the batch carries a generalist's answer q
    with its confidence.
    """

    class Options(Section):
        """A method without options."""

    learns_from_unlabeled: ClassVar[bool] = False

    def __init__(
        self,
        student: nn.Module,
        options: Mapping[str, Any],
        *,
        steps: int,
        pseudo_term: PseudoLabelTerm | None = None,
        in_channels: int = 1,
        num_classes: int = 2,
    ) -> None:
        """Take a network to train and the `method_options` of the recipe.

        Args:
            student: (B, in_channels, I, J, K) to logits (B, num_classes, I, J, K).
            options: of this method.
            steps: of the whole training, for what changes with it.
            pseudo_term: in `retrain`, what the generalist's answers weigh.
            in_channels: for networks beside the student that see images.
            num_classes: for networks beside the student that see its output.

        Raises:
            RecipeError: when an option is unknown or out of range.
        """
        self.student = student
        self.options: Any = validate(self.Options, options, where="method_options")
        self.steps = steps
        self.pseudo_term = pseudo_term
        self.in_channels, self.num_classes = in_channels, num_classes

    def modules(self) -> dict[str, nn.Module]:
        """Every network whose weights are part of the state."""
        return {"student": self.student}

    def trained(self) -> dict[str, nn.Module]:
        """Those of `modules`, under the same names, whose parameters are optimised."""
        return {"student": self.student}

    def predictor(self) -> nn.Module:
        """The network to predict with once training is over."""
        return self.student

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the weighted loss terms of one step; their sum is to be minimised."""
        num_labeled = len(batch.labeled_image)
        logits = self.student(self.images(batch)).float()  # (B, classes, I, J, K)
        labeled, unlabeled = logits[:num_labeled], logits[num_labeled:]
        losses = {"supervised": self.supervised_loss(batch, labeled)}
        if len(unlabeled):  # a mean over no patch at all would not be a number
            losses |= self.consistency(batch, unlabeled, step)
        if batch.pseudo is not None:
            losses["sam"] = self.pseudo_loss(batch.pseudo, unlabeled, step)
        return losses

    def images(self, batch: Batch) -> Tensor:
        """What the student sees in one pass: the labeled patches, then the unlabeled ones."""
        if self.learns_from_unlabeled or batch.pseudo is not None:
            return torch.cat([batch.labeled_image, batch.unlabeled_image])
        return batch.labeled_image

    def supervised_loss(self, batch: Batch, logits: Tensor) -> Tensor:
        """Hold logits of the labeled patches, (B_l, classes, I, J, K), to their labels."""
        return dice_ce(logits, one_hot(batch.label, logits.shape[1]))

    def consistency(self, batch: Batch, logits: Tensor, step: int) -> dict[str, Tensor]:
        """Weighted terms on the unlabeled patches, given the student's logits there."""
        return {}

    def pseudo_loss(self, pseudo: PseudoLabel, logits: Tensor, step: int) -> Tensor:
        """Hold logits of the unlabeled patches to the generalist's answers; weighted already."""
        assert self.pseudo_term is not None, "a batch with pseudo-labels needs a pseudo-label term"
        measure = _PSEUDO_LOSSES[self.pseudo_term.loss]
        return self.pseudo_term.weight_at(step) * measure(
            logits, pseudo.probability, weight=pseudo.confidence
        )

    def after_step(self, step: int) -> None:
        """Update what follows the student, such as a teacher."""
