"""Regularized dropout: two passes with other units dropped have to say the same."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from samssl_cli.methods.losses import symmetric_divergence
from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import RampedWeight
from samssl_cli.recipe import NonNegative


class RegularizedDropout(Method):
    """Send every patch through the student twice, and hold the two predictions together.

    total = mean over both passes of supervised(p_l, y_l)
            + w(step) * mean_v (KL(p || p') + KL(p' || p)) / 2, over labeled and unlabeled patches

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars. The
    gradient flows through both predictions.
    Source: R-Drop, Wu et al., NeurIPS 2021, arXiv:2106.14448, eq. 2-4; the paper has no unlabeled
    data, so weight and ramp are those of SSL4MIS.
    Differs: the divergence also on unlabeled patches. SSL4MIS trains two separate networks, without
    dropout, under this name, and its softmax runs along the last axis of the volume; here it is one
    network and the classes. Without `network.dropout` both passes agree and nothing is learned from
    the unlabeled patches, so that is refused.
    """

    class Options(RampedWeight):
        """Options of `regularized-dropout`."""

        consistency_weight: NonNegative = Field(4.0, description="largest weight of the term")

    learns_from_unlabeled: ClassVar[bool] = True

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the loss terms from both passes, which are two halves of one batch."""
        num_labeled = len(batch.labeled_image)
        images = self.images(batch)
        both = self.student(torch.cat([images, images])).float().chunk(2)
        supervised = [self.supervised_loss(batch, logits[:num_labeled]) for logits in both]
        weight: float = self.options.weight_at(step, self.steps)
        losses = {
            "supervised": torch.stack(supervised).mean(),
            "consistency": weight * symmetric_divergence(*both),
        }
        if batch.pseudo is not None:
            pseudo = [self.pseudo_loss(batch.pseudo, one[num_labeled:], step) for one in both]
            losses["sam"] = torch.stack(pseudo).mean()
        return losses
