"""Interpolation consistency: between two patches, predict what lies between their predictions."""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from samssl_cli.methods.losses import squared_error
from samssl_cli.methods.method import Batch
from samssl_cli.methods.teacher import WithTeacher


@dataclass(frozen=True)
class Mixed:
    """Blends of patches, and of what the teacher says about them."""

    image: Tensor
    """(B_u, C, I, J, K)."""
    target: Tensor
    """(B_u, classes, I, J, K) probabilities, without gradient."""


class InterpolationConsistency(WithTeacher):
    """Hold the student, on blends of two patches, to the blend of the teacher's predictions.

    total = supervised(student(x_l), y_l) + w(step) * mean((student(mix(u, u')) - target) ** 2)
    mix(a, b) = k a + (1 - k) b, target = mix(teacher(u), teacher(u')), k ~ Beta(alpha, alpha)

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; k one number per patch.
    Source: Verma et al., IJCAI 2019, arXiv:1903.03825, algorithm 1; alpha, weight, ramp
    and decay of SSL4MIS, the paper's being tuned for CIFAR-10.
    Differs: u' is the next unlabeled patch of the batch; a patch that is alone there has a labeled
    one (without its label) for u'. In `retrain` the student also sees u itself, for the
    pseudo-label term.
    """

    class Options(WithTeacher.Options):
        """Options of `ict`."""

        alpha: Annotated[float, Field(gt=0)] = Field(
            0.2, description="of the Beta distribution of the blends: small means close to an end"
        )

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the loss terms from one pass over labeled, blended and, if needed, plain patches.

        In one pass, batch normalisation sees them together, as it does in the other methods.
        """
        mixed = self.mix(batch) if len(batch.unlabeled_image) else None
        images = [
            batch.labeled_image,
            batch.unlabeled_image if mixed is None else mixed.image,
            batch.unlabeled_image[: 0 if batch.pseudo is None else None],
        ]
        logits = self.student(torch.cat(images)).float()
        labeled, blended, plain = logits.split([len(one) for one in images])
        losses = {"supervised": self.supervised_loss(batch, labeled)}
        if mixed is not None:
            error = squared_error(blended, mixed.target)
            losses["consistency"] = self.weight_at(step) * error
        if batch.pseudo is not None:
            losses["sam"] = self.pseudo_loss(batch.pseudo, plain, step)
        return losses

    @torch.no_grad()
    def mix(self, batch: Batch) -> Mixed:
        """Draw how much of either patch, blend them, and blend what the teacher says."""
        count = len(batch.unlabeled_image)
        alpha = torch.full((count, 1, 1, 1, 1), self.options.alpha)
        share = torch.distributions.Beta(alpha, alpha).sample().to(batch.unlabeled_image)
        images = batch.unlabeled_image
        if count == 1:
            images = torch.cat([images, batch.labeled_image[:1]])
        said = self.teacher(images).float().softmax(dim=1)
        return Mixed(blend(images, share), blend(said, share))


def blend(values: Tensor, share: Tensor) -> Tensor:
    """Blend each of the first n values with the next one, the last with the first.

    Shapes: (N, ...) and the share of the first of each two, (n, 1, 1, 1, 1) in 0-1, to (n, ...).
    """
    count = len(share)
    return share * values[:count] + (1 - share) * values.roll(-1, 0)[:count]
