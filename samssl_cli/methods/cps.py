"""Cross pseudo supervision: two networks, each labels the patches for the other."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import RampedWeight
from samssl_cli.networks.fresh import fresh_copy
from samssl_cli.recipe import Fraction, NonNegative


class CrossPseudoSupervision(Method):
    """Train two networks on the labels and, everywhere, on each other's decisions.

    total = sum over both networks f, with the other one g, of
        supervised(f(x_l), y_l) + w(step) * (CE(f(x_l), argmax g(x_l)) + CE(f(x_u), argmax g(x_u)))

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars. No
    gradient flows through a decision.
    Source: Chen et al., CVPR 2021, arXiv:2106.01226, eq. 1-3; w = 1.5 without a ramp is the paper's
    for PASCAL VOC.
    Differs: the supervised loss is Dice + CE; no CutMix. The second network starts from random
    weights, also where `--init` gives those of the first. In `retrain` both learn the
    pseudo-labels.
    """

    class Options(RampedWeight):
        """Options of `cps`."""

        consistency_weight: NonNegative = Field(1.5, description="largest weight of the term")
        rampup_fraction: Fraction = Field(0.0, description="part of all steps until that weight")
        predict_with: Literal["student", "second"] = Field(
            "student", description="the network that is used once training is over"
        )

    learns_from_unlabeled: ClassVar[bool] = True

    def __init__(self, student: nn.Module, options: Mapping[str, Any], **more: Any) -> None:
        """Add a second network of the same architecture, with weights of its own."""
        super().__init__(student, options, **more)
        self.second = fresh_copy(student)

    def modules(self) -> dict[str, nn.Module]:
        """Both networks."""
        return {"student": self.student, "second": self.second}

    def trained(self) -> dict[str, nn.Module]:
        """Both networks."""
        return self.modules()

    def predictor(self) -> nn.Module:
        """The network that `predict_with` names."""
        return self.modules()[self.options.predict_with]

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Let both networks see all patches and learn from the labels and from each other."""
        num_labeled = len(batch.labeled_image)
        images = self.images(batch)
        both = [network(images).float() for network in (self.student, self.second)]
        supervised = [self.supervised_loss(batch, logits[:num_labeled]) for logits in both]
        weight: float = self.options.weight_at(step, self.steps)
        pairs = [[one[:num_labeled] for one in both], [one[num_labeled:] for one in both]]
        cross = [cross_supervision(*pair) for pair in pairs if len(pair[0])]
        losses = {
            "supervised": torch.stack(supervised).sum(),
            "consistency": weight * torch.stack(cross).sum(),
        }
        if batch.pseudo is not None:
            pseudo = [self.pseudo_loss(batch.pseudo, one[num_labeled:], step) for one in both]
            losses["sam"] = torch.stack(pseudo).sum()
        return losses


def cross_supervision(first: Tensor, second: Tensor) -> Tensor:
    """Sum of the cross-entropies of each network's logits with the other's decisions.

    Shapes: both (B, classes, I, J, K), of one patch or more.
    """
    by_second = functional.cross_entropy(first, second.detach().argmax(dim=1))
    by_first = functional.cross_entropy(second, first.detach().argmax(dim=1))
    return by_second + by_first
