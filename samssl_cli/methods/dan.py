"""The deep adversarial network: make unlabeled segmentations look like labeled ones."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import RampedWeight

_FEATURES = (16, 32, 64, 128)


class DeepAdversarialNetwork(Method):
    """Train the student against a network that tells labeled from unlabeled segmentations.

    E(p, x) is the logit that p, a segmentation of x, is of a labeled patch.
    evaluator: min over E of BCE(E(p_l, x_l), 1) + BCE(E(p_u, x_u), 0)
    student:   min of supervised(p_l, y_l) - w(step) * BCE(E(p_u, x_u), 0)

    Both move in one step: between p_u and E lies a layer that passes p_u on and, on the way back,
    turns the gradient round and scales it by w. p_l reaches E without gradient, so that good
    segmentations are not made worse.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Zhang et al., MICCAI 2017, doi:10.1007/978-3-319-66179-7_47; the layer is that of
    Ganin & Lempitsky, ICML 2015, arXiv:1409.7495; weight and ramp of SSL4MIS.
    Differs: the student ascends the evaluator's own loss (minimax), where SSL4MIS descends the loss
    with swapped labels in a second pass; one optimiser, so one rate, for both networks; any size of
    patch and batch, where SSL4MIS writes down four samples and a fixed pooling.
    """

    class Options(RampedWeight):
        """Options of `dan`."""

    learns_from_unlabeled: ClassVar[bool] = True

    def __init__(self, student: nn.Module, options: Mapping[str, Any], **more: Any) -> None:
        """Add the evaluator, on the student's device."""
        super().__init__(student, options, **more)
        device = next(student.parameters()).device
        self.evaluator = Evaluator(self.num_classes + self.in_channels).to(device)

    def modules(self) -> dict[str, nn.Module]:
        """The student and the evaluator."""
        return {"student": self.student, "evaluator": self.evaluator}

    def trained(self) -> dict[str, nn.Module]:
        """Both, each against the other."""
        return self.modules()

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the loss terms; the gradient of `adversary` differs for the two networks."""
        num_labeled = len(batch.labeled_image)
        logits = self.student(self.images(batch)).float()
        labeled, unlabeled = logits[:num_labeled], logits[num_labeled:]
        losses = {"supervised": self.supervised_loss(batch, labeled)}
        if len(unlabeled):
            losses["adversary"] = self.adversary(batch, labeled, unlabeled, step)
        if batch.pseudo is not None:
            losses["sam"] = self.pseudo_loss(batch.pseudo, unlabeled, step)
        return losses

    def adversary(self, batch: Batch, labeled: Tensor, unlabeled: Tensor, step: int) -> Tensor:
        """Give the evaluator's loss, which the student is to make larger."""
        weight: float = self.options.weight_at(step, self.steps)
        reversed_ = reverse_gradient(unlabeled.softmax(dim=1), weight)
        good = self.evaluator(labeled.detach().softmax(dim=1), batch.labeled_image).float()
        doubtful = self.evaluator(reversed_, batch.unlabeled_image).float()
        return functional.softplus(-good).mean() + functional.softplus(doubtful).mean()


class Evaluator(nn.Module):
    """Strided convolutions and a mean over all places: one logit per patch.

    Shapes: probabilities (B, classes, I, J, K) and images (B, C, I, J, K) of any size to (B,).
    Without normalisation, so that one patch does not depend on the others of the batch.
    """

    def __init__(self, in_channels: int) -> None:
        """Build it with random weights; `in_channels` counts classes and image channels."""
        super().__init__()
        layers: list[nn.Module] = []
        for features in _FEATURES:
            layers += [
                nn.Conv3d(in_channels, features, 3, stride=2, padding=1),
                nn.LeakyReLU(0.2),
            ]
            in_channels = features
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(in_channels, 1)

    def forward(self, probability: Tensor, image: Tensor) -> Tensor:
        """Give the logit that the segmentation is of a labeled patch."""
        features = self.body(torch.cat([probability, image], dim=1))
        return cast(Tensor, self.head(features.mean(dim=(2, 3, 4)))[:, 0])


class _Reversal(torch.autograd.Function):
    """The identity forwards, minus `factor` times the gradient backwards."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradients[0], None


def reverse_gradient(value: Tensor, factor: float) -> Tensor:
    """Pass a tensor on, and its gradient back times `-factor`."""
    return cast(Tensor, _Reversal.apply(value, factor))  # type: ignore[no-untyped-call]  # torch has no types here
