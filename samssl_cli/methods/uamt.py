"""The uncertainty-aware mean teacher: listen to the teacher only where it is certain."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from samssl_cli.methods.mean_teacher import MeanTeacher
from samssl_cli.methods.method import Batch
from samssl_cli.methods.ramps import sigmoid_ramp_up
from samssl_cli.recipe import Fraction, PositiveCount


class UncertaintyAwareMeanTeacher(MeanTeacher):
    """Mean teacher whose consistency counts only voxels of low predictive entropy.

    u = -sum_c m_c log m_c, with m the mean of T teacher predictions under dropout and noise
    H(step) = (start + (1 - start) * ramp(step)) * ln(classes)
    consistency = sum_v [u_v < H] * sum_c (p_student - p_teacher)^2 / (classes * sum_v [u_v < H])

    Shapes: as `MeanTeacher`. When no voxel is certain the term is 0.
    Source: Yu et al., MICCAI 2019, arXiv:1907.07034, eq. 2-4, and its published code for T = 8,
    start = 0.75 and the factor `classes` (2 there).
    Differs: ln(classes) for any number of classes, where the published code has ln 2.
    """

    class Options(MeanTeacher.Options):
        """Options of `uamt`."""

        num_passes: PositiveCount = Field(8, description="stochastic predictions of the teacher")
        start_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
            0.75, description="entropy threshold at the start, as a part of the largest entropy"
        )
        threshold_rampup_fraction: Fraction = Field(
            1.0, description="part of all steps until the threshold reaches the largest entropy"
        )

    def consistency(self, batch: Batch, logits: Tensor, step: int) -> dict[str, Tensor]:
        """Compare student and teacher on the voxels where the teacher is certain."""
        view = self.teacher_view(batch)
        with torch.no_grad():
            target = self.teacher(self.noisy(view)).float().softmax(dim=1)
            certain = self.entropy(view) < self.threshold_at(step, logits.shape[1])
        loss = masked_squared_error(logits.softmax(dim=1), target, certain)
        return {"consistency": self.weight_at(step) * loss}

    def threshold_at(self, step: int, num_classes: int) -> float:
        """The largest entropy, in nats, at which a voxel still counts as certain."""
        ramp = sigmoid_ramp_up(step, round(self.options.threshold_rampup_fraction * self.steps))
        start: float = self.options.start_threshold
        return (start + (1 - start) * ramp) * math.log(num_classes)

    def entropy(self, image: Tensor) -> Tensor:
        """Predictive entropy (B, I, J, K) in nats of the mean over the stochastic passes."""
        total: Tensor = self.teacher(self.noisy(image)).float().softmax(dim=1)
        for _ in range(self.options.num_passes - 1):
            total += self.teacher(self.noisy(image)).float().softmax(dim=1)
        mean = total / int(self.options.num_passes)
        return -(mean * mean.clamp_min(1e-6).log()).sum(dim=1)


def masked_squared_error(student: Tensor, teacher: Tensor, certain: Tensor) -> Tensor:
    """Mean over the certain voxels and the classes of (student - teacher) ** 2.

    Shapes: student and teacher (B, classes, I, J, K) probabilities; certain (B, I, J, K) bool.
    """
    error = (student - teacher).square().mean(dim=1)  # (B, I, J, K)
    return (certain * error).sum() / certain.sum().clamp_min(1)
