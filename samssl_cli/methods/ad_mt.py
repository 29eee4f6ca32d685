"""Alternate diverse teachers: two teachers take turns, and their conflicts are settled."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.methods.cutmix import pasted, random_boxes
from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import RampedWeight
from samssl_cli.recipe import Fraction, NonNegative, PositiveCount


@dataclass(frozen=True)
class Settled:
    """What the student is to learn from two teachers."""

    label: Tensor
    """(B, I, J, K) int64."""
    confidence: Tensor
    """(B, I, J, K) in 0-1: the probability of that label."""
    is_conflict: Tensor
    """(B, I, J, K) bool: where the likeliest classes of the teachers differ."""


class Turns(nn.Module):
    """Whose turn it is in each step: part of the state, since it was drawn at random."""

    is_first: Tensor

    def __init__(self, steps: int, longest: int) -> None:
        """Draw periods of 1 to `longest` steps; the first teacher begins."""
        super().__init__()
        lengths = torch.randint(1, longest + 1, (steps,))  # enough, each is one step or more
        whose = torch.arange(steps) % 2 == 0
        self.register_buffer("is_first", whose.repeat_interleave(lengths)[:steps])


class AlternateDiverseTeachers(Method):
    """Teach a student with two teachers that follow it in turns, each its own way.

    total = supervised(student(x_l), y_l)
            + w(step) * sum_v c_v CE(student(x'), y)_v / sum_v c_v

    Turns last 1 to `longest_turn` steps, drawn at random. While it is the first teacher's, x' is
    the augmented patch; while it is the second's, x' is the plain patch with a box of another
    pasted in. After the step the teacher whose turn it is follows the student.

    y is the likeliest class of the teachers' mean, weighted by exp(-entropy in bits); where they
    are in conflict and the student, on the plain patch, is surer of another class, it is the
    student's. c_v is 1 where y is at least `threshold` sure and 0 elsewhere, times
    `conflict_weight` where the teachers are in conflict. y is held constant.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars. When no
    voxel is sure the term is 0. With one unlabeled patch there is no other one to paste from.
    Source: Zhao et al., ECCV 2024, arXiv:2311.17325; the defaults from its published code for the
    left atrium.
    Differs: conflicts are settled before boxes are pasted, so that the student's prediction lies
    where its voxels do; in published code it stays behind. The running statistics of each teacher
    are its own, as in our `mean-teacher`, and both normalise by the patch. The supervised loss is
    ours.
    """

    class Options(RampedWeight):
        """Options of `ad-mt`."""

        consistency_weight: NonNegative = Field(2.0, description="largest weight of the term")
        rampup_fraction: Fraction = Field(0.4, description="part of all steps until that weight")
        ema_decay: Fraction = Field(0.99, description="share of a teacher that stays in its step")
        longest_turn: PositiveCount = Field(19, description="most steps until the other's turn")
        threshold: Fraction = Field(0.8, description="probability from which a voxel counts")
        conflict_weight: NonNegative = Field(
            1.0, description="weight of voxels where the teachers differ"
        )
        predict_with: Literal["student", "teacher", "second_teacher"] = Field(
            "teacher", description="the network that is used once training is over"
        )

    learns_from_unlabeled: ClassVar[bool] = True

    def __init__(self, student: nn.Module, options: Mapping[str, Any], **more: Any) -> None:
        """Copy the student as both teachers, and draw the turns."""
        super().__init__(student, options, **more)
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.second_teacher = copy.deepcopy(student).requires_grad_(False)
        self.turns = Turns(self.steps, self.options.longest_turn)

    def modules(self) -> dict[str, nn.Module]:
        """The student, its teachers, and their turns."""
        return {
            "student": self.student,
            "teacher": self.teacher,
            "second_teacher": self.second_teacher,
            "turns": self.turns,
        }

    def predictor(self) -> nn.Module:
        """The network that `predict_with` names."""
        return self.modules()[self.options.predict_with]

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the weighted loss terms of one step; their sum is to be minimised."""
        num_labeled, num_unlabeled = len(batch.labeled_image), len(batch.unlabeled_image)
        is_first = self.is_first_at(step)
        boxes, order = self.draw_boxes(batch.unlabeled_image)
        mixed = pasted(batch.unlabeled_plain, boxes, order)
        view = batch.unlabeled_image if is_first else mixed
        images = torch.cat([batch.labeled_image, batch.unlabeled_plain, view])
        parts = self.student(images).float().split([num_labeled, num_unlabeled, num_unlabeled])
        losses = {"supervised": self.supervised_loss(batch, parts[0])}
        if num_unlabeled:
            target = self.settle(batch.unlabeled_plain, parts[1].detach())
            target = target if is_first else _pasted(target, boxes, order)
            loss = self.settled_loss(parts[2], target)
            losses["consistency"] = self.weight_at(step) * loss
        if batch.pseudo is not None:
            losses["sam"] = self.pseudo_loss(batch.pseudo, parts[1], step)
        return losses

    def is_first_at(self, step: int) -> bool:
        """Whether it is the first teacher's turn at `step`, counted from 0."""
        return bool(self.turns.is_first[min(step, self.steps - 1)])

    def weight_at(self, step: int) -> float:
        """The weight of the consistency term at `step`, counted from 0."""
        return float(self.options.weight_at(step, self.steps))

    def draw_boxes(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """A box for each patch (B, C, I, J, K), and the patch that is pasted into it."""
        i, j, k = patches.shape[2:]
        boxes = random_boxes(len(patches), (i, j, k))
        return boxes.to(patches.device), torch.randperm(len(patches)).to(patches.device)

    @torch.no_grad()
    def settle(self, plain: Tensor, student: Tensor) -> Settled:
        """Settle what the teachers, and the student's logits, say of plain patches."""
        teachers = (self.teacher(plain).float(), self.second_teacher(plain).float())
        first, second = (logits.softmax(dim=1) for logits in teachers)
        return settled(first, second, student.softmax(dim=1))

    def settled_loss(self, logits: Tensor, target: Settled) -> Tensor:
        """Cross-entropy (B, classes, I, J, K) against what was settled, where that is sure."""
        weight = (target.confidence >= self.options.threshold).float()
        weight = torch.where(target.is_conflict, self.options.conflict_weight * weight, weight)
        entropy = functional.cross_entropy(logits, target.label, reduction="none")
        return (weight * entropy).sum() / weight.sum().clamp_min(1e-5)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the teacher whose turn it was, fast at the start as in `mean-teacher`."""
        decay = min(1 - 1 / (step // 2 + 1), self.options.ema_decay)
        teacher = self.teacher if self.is_first_at(step) else self.second_teacher
        for weight, new in zip(teacher.parameters(), self.student.parameters(), strict=True):
            weight.lerp_(new, 1 - decay)


def settled(first: Tensor, second: Tensor, student: Tensor) -> Settled:
    """Settle the probabilities (B, classes, I, J, K) of two teachers and their student."""
    certainty, other = (torch.exp(-entropy_bits(one)) for one in (first, second))
    share = (certainty / (certainty + other))[:, None]
    confidence, label = (share * first + (1 - share) * second).max(dim=1)
    is_conflict = first.argmax(dim=1) != second.argmax(dim=1)
    surer, own = student.max(dim=1)
    takes_own = is_conflict & (own != label) & (surer > confidence)
    return Settled(
        torch.where(takes_own, own, label),
        torch.where(takes_own, surer, confidence),
        is_conflict,
    )


def entropy_bits(probability: Tensor) -> Tensor:
    """Entropy (B, I, J, K) in bits of probabilities (B, classes, I, J, K)."""
    return -(probability * probability.clamp_min(1e-10).log2()).sum(dim=1)


def _pasted(target: Settled, boxes: Tensor, order: Tensor) -> Settled:
    return Settled(
        pasted(target.label, boxes, order),
        pasted(target.confidence, boxes, order),
        pasted(target.is_conflict, boxes, order),
    )
