"""Bidirectional copy-paste: labeled boxes in unlabeled patches, and unlabeled ones in labeled."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from samssl_cli.methods.losses import dice_ce, one_hot
from samssl_cli.methods.method import Batch
from samssl_cli.methods.paste import box_mask, largest_pieces, paste
from samssl_cli.methods.strong import draw_box
from samssl_cli.methods.teacher import WithTeacher
from samssl_cli.recipe import Fraction, NonNegative, Section


@dataclass(frozen=True)
class Pasted:
    """Patches that are put together from a labeled and another patch each."""

    image: Tensor
    """(N, C, I, J, K)."""
    label: Tensor
    """(N, I, J, K) int64: true labels where `is_true`, the teacher's elsewhere."""
    is_true: Tensor
    """(N, I, J, K), 1 or 0."""


class BidirectionalCopyPaste(WithTeacher):
    """Teach the student patches that are half labeled and half unlabeled, both ways round.

    inward  = x_l around a box of x_u, outward = x_u around a box of x_l, with labels likewise,
    those of x_u being the teacher's decisions, the largest component of each class
    total = mean over both of dice_ce(student(x), y) on the labeled voxels
            + alpha * mean over both of dice_ce(student(x), y) on the unlabeled ones

    In the first steps (`pretrain_fraction`) labeled patches are pasted into each other, without the
    teacher, which is then the student itself.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Bai et al., CVPR 2023, arXiv:2305.00673, sec. 3; alpha = 0.5, a box with 2/3 of each
    side, and 2000 of 17 000 steps before the teacher are the paper's for the Left Atrium.
    Differs: the largest component of every class (`keep = "all"` keeps pairs of organs); one
    optimiser from first to last; the last checkpoint, where the published code takes the one that
    is best on the test cases. A labeled patch that is alone in its batch has no other to be pasted
    into: it is learned as it is. In `retrain` the student also sees u itself, for the pseudo-label
    term.
    """

    class Options(Section):
        """Options of `bcp`."""

        unlabeled_weight: NonNegative = Field(0.5, description="alpha, of the unlabeled voxels")
        box_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
            0.667, description="side of the pasted box, of the patch's"
        )
        pretrain_fraction: Fraction = Field(
            0.12, description="part of all steps with labeled patches alone"
        )
        keep: Literal["largest", "all"] = Field(
            "largest", description="components of each class of the teacher's labels"
        )
        ema_decay: Fraction = Field(0.99, description="share of the teacher that stays each step")
        predict_with: Literal["student", "teacher"] = Field(
            "student", description="the network that is used once training is over"
        )

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the loss terms from one pass over pasted and, if needed, plain patches."""
        is_alone = self.is_pretraining(step) or not len(batch.unlabeled_image)
        pasted = self.paste_labeled(batch) if is_alone else self.paste_both_ways(batch)
        plain = batch.unlabeled_image[: 0 if batch.pseudo is None else None]
        logits = self.student(torch.cat([pasted.image, plain])).float()
        mixed, unmixed = logits.split([len(pasted.image), len(plain)])
        target = one_hot(pasted.label, logits.shape[1])
        losses = {"supervised": dice_ce(mixed, target, weight=pasted.is_true)}
        if not is_alone:
            loss = dice_ce(mixed, target, weight=1 - pasted.is_true)
            losses["consistency"] = self.options.unlabeled_weight * loss
        if batch.pseudo is not None:
            losses["sam"] = self.pseudo_loss(batch.pseudo, unmixed, step)
        return losses

    def is_pretraining(self, step: int) -> bool:
        """Whether the teacher has nothing to say yet."""
        return step < round(float(self.options.pretrain_fraction) * self.steps)

    def paste_labeled(self, batch: Batch) -> Pasted:
        """Paste a box of each labeled patch into the one before it."""
        mask = self.draw_mask(batch)
        image = paste(batch.labeled_image, batch.labeled_image.roll(-1, 0), mask)
        label = paste(batch.label, batch.label.roll(-1, 0), mask)
        return Pasted(image, label, torch.ones_like(image[:, 0]))

    def paste_both_ways(self, batch: Batch) -> Pasted:
        """Pair labeled and unlabeled patches, the shorter list from its start again, and paste.

        A patch that is pasted outward is another than the one pasted inward, where there are two.
        """
        mask = self.draw_mask(batch)
        count = max(len(batch.labeled_image), len(batch.unlabeled_image))
        said = self.teacher_label(batch.unlabeled_image)
        x, y = _cycle(batch.labeled_image, count), _cycle(batch.label, count)
        u, v = _cycle(batch.unlabeled_image, count), _cycle(said, count)
        inward = paste(x, u, mask), paste(y, v, mask)
        x, y, u, v = (one.roll(1, 0) for one in (x, y, u, v))
        outward = paste(u, x, mask), paste(v, y, mask)
        is_true = torch.stack([mask, 1 - mask]).repeat_interleave(count, 0)
        return Pasted(
            torch.cat([inward[0], outward[0]]), torch.cat([inward[1], outward[1]]), is_true
        )

    def draw_mask(self, batch: Batch) -> Tensor:
        """Draw the box of a step: (I, J, K), 0 inside of it."""
        shape = batch.label.shape[1:]
        return box_mask(shape, draw_box(shape, self.options.box_fraction), batch.labeled_image)

    @torch.no_grad()
    def teacher_label(self, image: Tensor) -> Tensor:
        """The teacher's decisions on patches (B_u, C, I, J, K): (B_u, I, J, K) int64."""
        logits = self.teacher(image)
        label = logits.argmax(dim=1)
        is_whole = self.options.keep == "all"
        return label if is_whole else largest_pieces(label, logits.shape[1])

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Let the teacher be the student while there is none, and follow it afterwards."""
        if self.is_pretraining(step):
            self.teacher.load_state_dict(self.student.state_dict())
        else:
            super().after_step(step)


def _cycle(patches: Tensor, count: int) -> Tensor:
    """The first `count` patches, from the start again where there are fewer."""
    return patches[torch.arange(count, device=patches.device) % len(patches)]
