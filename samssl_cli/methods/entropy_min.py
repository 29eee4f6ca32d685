"""Entropy minimisation: be decided about unlabeled voxels."""

import math
from typing import ClassVar

from torch import Tensor

from samssl_cli.methods.method import Batch, Method
from samssl_cli.methods.ramps import RampedWeight


class EntropyMinimisation(Method):
    """Ask for low entropy of the student's predictions on the unlabeled patches.

    total = supervised(student(x_l), y_l) + w(step) * mean_v(-sum_c p_vc ln p_vc) / ln(classes)

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars; the
    term without its weight is in 0-1.
    Source: Grandvalet & Bengio, NeurIPS 2004; divided by ln(classes) as in ADVENT (Vu et
    al., CVPR 2019, arXiv:1811.12833); weight and ramp of SSL4MIS.
    Differs: the unlabeled patches alone, where SSL4MIS adds the labeled ones; ln(classes) for any
    number of classes, where it has ln 2; log-softmax, where it adds 1e-6 inside the logarithm.
    """

    class Options(RampedWeight):
        """Options of `entropy-min`."""

    learns_from_unlabeled: ClassVar[bool] = True

    def consistency(self, batch: Batch, logits: Tensor, step: int) -> dict[str, Tensor]:
        """Give the mean entropy of the student on the unlabeled patches."""
        weight: float = self.options.weight_at(step, self.steps)
        return {"entropy": weight * relative_entropy(logits).mean()}


def relative_entropy(logits: Tensor) -> Tensor:
    """Entropy of each voxel over its largest value: (B, classes, I, J, K) to (B, I, J, K), 0-1."""
    log_probability = logits.log_softmax(dim=1)
    entropy = -(log_probability.exp() * log_probability).sum(dim=1)
    return entropy / math.log(logits.shape[1])
