"""FixMatch: what is sure of a weakly changed patch holds for a strongly changed one."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import RampedWeight
from samssl_cli.methods.strong import change_strongly, draw_box, draw_strong, visible
from samssl_cli.recipe import Fraction, NonNegative


@dataclass(frozen=True)
class Strong:
    """Strongly changed patches, partly hidden."""

    image: Tensor
    """(B_u, C, I, J, K)."""
    shown: Tensor
    """(B_u, I, J, K), 0 where the patch is hidden."""


class FixMatch(Method):
    """Teach the student, on strong changes, the decisions it is sure of on weak ones.

    q = softmax(student(weak(u))), q' = softmax(student(strong(u)))
    total = supervised(student(x_l), y_l)
            + w(step) * mean_v [max_c q_vc >= threshold] * -ln q'_vc(v), c(v) = argmax_c q_vc

    The mean runs over all voxels that are not hidden, sure or not: the term grows with what the
    student is sure of. weak(u): placed, turned, bent and mirrored; strong(u): with the recipe's
    changes of intensity, then further ones and a hidden box.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars. No
    gradient flows through q.
    Source: Sohn et al., NeurIPS 2020, arXiv:2001.07685, eq. 3-4, with their threshold and weight;
    a hidden box does not count, as in French et al., BMVC 2020, arXiv:1906.01916.
    Differs: changes for 3D images of z-scored intensities in place of RandAugment. Voxels below
    the threshold are left out, where SSL4MIS counts them as background; no further loss on the
    least likely class. In `retrain` the pseudo-label term is on strong(u), where it is not hidden.
    """

    class Options(RampedWeight):
        """Options of `fixmatch`."""

        consistency_weight: NonNegative = Field(1.0, description="largest weight of the term")
        rampup_fraction: Fraction = Field(0.0, description="part of all steps until that weight")
        threshold: Fraction = Field(0.95, description="probability from which a voxel is sure")
        magnitude: Fraction = Field(0.5, description="how strong the strong changes are")
        hidden_fraction: Fraction = Field(0.5, description="side of the hidden box, of the patch's")

    learns_from_unlabeled: ClassVar[bool] = True

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the loss terms from one pass over labeled, weak and strong patches."""
        if not len(batch.unlabeled_image):
            return super().forward(batch, step)
        strong = self.strengthen(batch.unlabeled_image)
        images = [batch.labeled_image, batch.unlabeled_plain, strong.image]
        logits = self.student(torch.cat(images)).float()
        labeled, weak, strongly = logits.split([len(one) for one in images])
        loss = confident_cross_entropy(
            strongly, weak, threshold=self.options.threshold, shown=strong.shown
        )
        losses = {
            "supervised": self.supervised_loss(batch, labeled),
            "consistency": self.options.weight_at(step, self.steps) * loss,
        }
        if batch.pseudo is not None:
            seen = replace(batch.pseudo, confidence=batch.pseudo.confidence * strong.shown)
            losses["sam"] = self.pseudo_loss(seen, strongly, step)
        return losses

    def strengthen(self, image: Tensor) -> Strong:
        """Change patches (B_u, C, I, J, K) strongly, and set a box in each to 0, the mean."""
        changed = change_strongly(image, draw_strong(image, self.options.magnitude))
        boxes = [draw_box(image.shape[2:], self.options.hidden_fraction) for _ in image]
        shown = visible(image, boxes)
        return Strong(changed * shown[:, None], shown)


def confident_cross_entropy(
    strong: Tensor, weak: Tensor, *, threshold: float, shown: Tensor
) -> Tensor:
    """Cross-entropy with the decisions in `weak` that reach the threshold, over all that is shown.

    Shapes: both logits (B, classes, I, J, K); shown (B, I, J, K), 1 or 0. No gradient to `weak`.
    With nothing sure, or nothing shown, the loss is 0.
    """
    confidence, decision = weak.detach().softmax(dim=1).max(dim=1)  # (B, I, J, K)
    counted = (confidence >= threshold) * shown
    entropy = functional.cross_entropy(strong, decision, reduction="none")
    return (counted * entropy).sum() / shown.sum().clamp_min(1)
