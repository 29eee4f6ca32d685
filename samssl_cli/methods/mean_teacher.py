"""The mean teacher: be consistent with the moving average of one's own weights."""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from samssl_cli.methods.losses import squared_error
from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import sigmoid_ramp_up
from samssl_cli.recipe import Fraction, NonNegative, Section


class MeanTeacher(Method):
    """Hold a student to the predictions of its exponential-moving-average teacher.

    total = supervised(student(x_l), y_l) + w(step) * mean((p_student - p_teacher) ** 2)

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Tarvainen & Valpola, NeurIPS 2017, arXiv:1703.01780, sec. 2.
    Differs: consistency on the unlabeled patches only and input noise on the teacher only, as in
    UA-MT (Yu et al., MICCAI 2019); with `teacher_input = "plain"` the teacher sees the patch
    without the student's intensity changes.
    """

    class Options(Section):
        """Options of `mean-teacher`."""

        consistency_weight: NonNegative = Field(0.1, description="largest weight of the term")
        rampup_fraction: Fraction = Field(1.0, description="part of all steps until that weight")
        ema_decay: Fraction = Field(0.99, description="share of the teacher that stays each step")
        noise_std: NonNegative = Field(0.1, description="input noise of the teacher, cut at 2 std")
        teacher_input: Literal["augmented", "plain"] = Field(
            "augmented", description="what the noise is added to"
        )
        predict_with: Literal["student", "teacher"] = Field(
            "teacher", description="the network that is used once training is over"
        )

    learns_from_unlabeled: ClassVar[bool] = True

    def __init__(self, student: nn.Module, options: Mapping[str, Any], **more: Any) -> None:
        """Copy the student as the first teacher."""
        super().__init__(student, options, **more)
        self.teacher = copy.deepcopy(student).requires_grad_(False)

    def modules(self) -> dict[str, nn.Module]:
        """The student and its teacher."""
        return {"student": self.student, "teacher": self.teacher}

    def predictor(self) -> nn.Module:
        """The network that `predict_with` names."""
        return self.modules()[self.options.predict_with]

    def consistency(self, batch: Batch, logits: Tensor, step: int) -> dict[str, Tensor]:
        """Compare the student with the teacher on the unlabeled patches."""
        with torch.no_grad():
            target = self.teacher(self.noisy(self.teacher_view(batch))).float().softmax(dim=1)
        return {"consistency": self.weight_at(step) * squared_error(logits, target)}

    def weight_at(self, step: int) -> float:
        """The weight of the consistency term at `step`, counted from 0."""
        ramp = sigmoid_ramp_up(step, round(self.options.rampup_fraction * self.steps))
        return float(self.options.consistency_weight * ramp)

    def teacher_view(self, batch: Batch) -> Tensor:
        """The unlabeled patches as the teacher sees them, before the noise."""
        is_plain = self.options.teacher_input == "plain"
        return batch.unlabeled_plain if is_plain else batch.unlabeled_image

    def noisy(self, image: Tensor) -> Tensor:
        """Add Gaussian noise, cut at two standard deviations as in UA-MT."""
        std: float = self.options.noise_std
        return image + (torch.randn_like(image) * std).clamp(-2 * std, 2 * std)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the teacher: decay = min(1 - 1 / (step + 1), ema_decay), so that it starts fast."""
        decay = min(1 - 1 / (step + 1), self.options.ema_decay)
        # The running statistics of a batch normalisation are the teacher's own, from its forwards.
        weights = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for weight, new in weights:
            weight.lerp_(new, 1 - decay)
