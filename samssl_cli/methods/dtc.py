"""Dual-task consistency: a label map and the distance to its surface have to agree."""

import torch
from pydantic import Field
from torch import Tensor, nn

from samssl_cli.methods.branched import Branched, Seen
from samssl_cli.methods.method import Batch
from samssl_cli.methods.signed_distance import signed_distances, to_probability
from samssl_cli.networks.fresh import fresh_copy
from samssl_cli.recipe import NonNegative, Positive


class DualTaskConsistency(Branched):
    """Let a second head predict signed distances, and hold both heads to each other.

    total = supervised(p_l, y_l) + beta * mean((T_l - T(y_l)) ** 2)
            + w(step) * mean((sigmoid(-k T) - p) ** 2)

    p is the student's softmax, T the tanh of the second head, one map per class, background
    included; the means run over voxels, classes and, for the last term, labeled and unlabeled
    patches. Both heads get its gradient.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Luo et al., AAAI 2021, arXiv:2009.04448; beta, k and the schedule from there
    and from its published code.
    Differs: any number of classes, where the paper has one; the supervised loss is ours (Dice and
    cross-entropy); a class that a patch does not have is far from everywhere (`signed_distance`).
    """

    class Options(Branched.Options):
        """Options of `dtc`."""

        consistency_weight: NonNegative = Field(1.0, description="largest weight of the term")
        distance_weight: NonNegative = Field(
            0.3, description="weight of the signed distances of labeled patches (beta)"
        )
        steepness: Positive = Field(
            1500.0, description="how sharply a signed distance becomes a probability (k)"
        )

    def build_branches(self) -> nn.Module:
        """A head like the student's, for the signed distances."""
        return fresh_copy(self.decoder.head)

    def agreement(
        self, seen: Seen, outputs: list[Tensor], batch: Batch, step: int
    ) -> dict[str, Tensor]:
        """Hold the distances to the labels, and the two heads to each other."""
        distance = torch.tanh(self.branches(seen.features[-1]).float())  # (B, classes, I, J, K)
        target = signed_distances(batch.label, distance.shape[1])
        loss = dual_task_loss(distance, seen.logits, steepness=self.options.steepness)
        return {
            "distance": self.options.distance_weight
            * (distance[: seen.num_labeled] - target).square().mean(),
            "consistency": self.weight_at(step) * loss,
        }


def dual_task_loss(distance: Tensor, logits: Tensor, *, steepness: float) -> Tensor:
    """Mean over voxels and classes of (sigmoid(-k T) - softmax(logits)) ** 2.

    Shapes: distance, in -1 to 1, and logits (B, classes, I, J, K).
    """
    difference = to_probability(distance, steepness) - logits.softmax(dim=1)
    return difference.square().mean()
