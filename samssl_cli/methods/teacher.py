"""What the methods share whose teacher is the moving average of the student."""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from samssl_cli.methods.method import Method
from samssl_cli.methods.ramps import RampedWeight
from samssl_cli.recipe import Fraction


class WithTeacher(Method):
    """A student and its teacher, which moves towards it after every step.

    teacher = decay * teacher + (1 - decay) * student, decay = min(1 - 1 / (step + 1), ema_decay)

    Source: Tarvainen & Valpola, NeurIPS 2017, arXiv:1703.01780, sec. 2, and their published code
    for the decay of the first steps.
    """

    class Options(RampedWeight):
        """Options of a method with a teacher."""

        ema_decay: Fraction = Field(0.99, description="share of the teacher that stays each step")
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

    def weight_at(self, step: int) -> float:
        """The weight of the consistency term at `step`, counted from 0."""
        return float(self.options.weight_at(step, self.steps))

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the teacher; it starts fast."""
        decay = min(1 - 1 / (step + 1), self.options.ema_decay)
        # The running statistics of a batch normalisation are the teacher's own, from its forwards.
        weights = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for weight, new in weights:
            weight.lerp_(new, 1 - decay)
