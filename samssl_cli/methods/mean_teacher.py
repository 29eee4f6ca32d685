"""The mean teacher: be consistent with the moving average of one's own weights."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from samssl_cli.methods.losses import squared_error
from samssl_cli.methods.method import Batch
from samssl_cli.methods.teacher import WithTeacher
from samssl_cli.recipe import NonNegative


class MeanTeacher(WithTeacher):
    """Hold a student to the predictions of its exponential-moving-average teacher.

    total = supervised(student(x_l), y_l) + w(step) * mean((p_student - p_teacher) ** 2)

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Tarvainen & Valpola, NeurIPS 2017, arXiv:1703.01780, sec. 2.
    Differs: consistency on the unlabeled patches only and input noise on the teacher only, as in
    UA-MT (Yu et al., MICCAI 2019); with `teacher_input = "plain"` the teacher sees the patch
    without the student's intensity changes.
    """

    class Options(WithTeacher.Options):
        """Options of `mean-teacher`."""

        noise_std: NonNegative = Field(0.1, description="input noise of the teacher, cut at 2 std")
        teacher_input: Literal["augmented", "plain"] = Field(
            "augmented", description="what the noise is added to"
        )

    def consistency(self, batch: Batch, logits: Tensor, step: int) -> dict[str, Tensor]:
        """Compare the student with the teacher on the unlabeled patches."""
        with torch.no_grad():
            target = self.teacher(self.noisy(self.teacher_view(batch))).float().softmax(dim=1)
        return {"consistency": self.weight_at(step) * squared_error(logits, target)}

    def teacher_view(self, batch: Batch) -> Tensor:
        """The unlabeled patches as the teacher sees them, before the noise."""
        is_plain = self.options.teacher_input == "plain"
        return batch.unlabeled_plain if is_plain else batch.unlabeled_image

    def noisy(self, image: Tensor) -> Tensor:
        """Add Gaussian noise, cut at two standard deviations as in UA-MT."""
        std: float = self.options.noise_std
        return image + (torch.randn_like(image) * std).clamp(-2 * std, 2 * std)
