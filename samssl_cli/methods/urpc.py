"""Uncertainty rectified pyramid consistency: the scales of one decoder have to agree."""

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.methods.branched import Branched, Seen, mean
from samssl_cli.methods.method import Batch


class PyramidConsistency(Branched):
    """Predict from several scales of the decoder, and hold each prediction to their mean.

    p_c = mean over the S scales of p_s
    D_s = sum_c p_s log(p_s / p_c), per voxel
    total = mean over s of supervised(p_s(x_l), y_l)
            + w(step) * mean over s of sum_v exp(-D_s) mean_c (p_s - p_c)^2 / sum_v exp(-D_s)
            + w(step) * mean over s of mean_v D_s

    The first scale is the student's own output; every other is a 1x1x1 convolution of coarser
    decoder features, whose logits are resized to the patch. A network with fewer scales uses those
    it has. Agreement is asked for on unlabeled patches.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Luo et al., MICCAI 2021, arXiv:2012.07042 and MedIA 2022; S = 4, the weight
    and its schedule from SSL4MIS.
    Differs: D is KL(p_s || p_c), as we read the paper; published code computes KL(p_c || p_s),
    which a scale that is sure alone makes very large. The supervised loss is ours, not halved.
    """

    class Options(Branched.Options):
        """Options of `urpc`."""

        num_scales: Annotated[int, Field(ge=2, strict=True)] = Field(
            4, description="scales that predict, the finest of them the student's own output"
        )

    def build_branches(self) -> nn.Module:
        """A 1x1x1 convolution for each of the coarser scales, finest first."""
        coarser = reversed(self.decoder.widths[:-1])
        widths = list(coarser)[: self.options.num_scales - 1]
        heads = nn.ModuleList(nn.Conv3d(width, self.num_classes, 1) for width in widths)
        return heads.to(next(self.student.parameters()).device)

    def outputs(self, seen: Seen) -> list[Tensor]:
        """The logits of every scale, at the size of the patch, finest first."""
        assert isinstance(self.branches, nn.ModuleList)
        size, coarser = seen.logits.shape[2:], reversed(seen.features[:-1])
        coarse = [head(one).float() for head, one in zip(self.branches, coarser, strict=False)]
        resized = [functional.interpolate(one, size=size, mode="trilinear") for one in coarse]
        return [seen.logits, *resized]

    def agreement(
        self, seen: Seen, outputs: list[Tensor], batch: Batch, step: int
    ) -> dict[str, Tensor]:
        """Hold every scale to the mean of all on the unlabeled patches."""
        unlabeled = [one[seen.num_labeled :] for one in outputs]
        if not len(unlabeled[0]):
            return {}
        consistency, uncertainty = pyramid_losses(unlabeled)
        weight = self.weight_at(step)
        return {"consistency": weight * consistency, "uncertainty": weight * uncertainty}


def pyramid_losses(logits: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Give the rectified squared error and the divergence, both means over the scales.

    Shapes: logits of each scale (B, classes, I, J, K), B at least 1; two scalars.
    """
    logs = torch.stack([one.log_softmax(dim=1) for one in logits])  # (S, B, classes, I, J, K)
    log_mean = logs.logsumexp(dim=0) - math.log(len(logits))
    divergences = (logs.exp() * (logs - log_mean)).sum(dim=2)  # (S, B, I, J, K)
    errors = (logs.exp() - log_mean.exp()).square().mean(dim=2)
    rectified = [
        (certainty * error).sum() / certainty.sum()
        for certainty, error in zip((-divergences).exp(), errors, strict=True)
    ]
    return mean(rectified), divergences.mean()
