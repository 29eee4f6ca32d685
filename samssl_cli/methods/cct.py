"""Cross-consistency training: decoders of disturbed features follow the student's own."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from samssl_cli.methods.branched import Branched, Seen, mean
from samssl_cli.methods.method import Batch
from samssl_cli.methods.perturbations import PERTURBATIONS, Perturbation
from samssl_cli.networks.fresh import fresh_copy
from samssl_cli.recipe import Fraction, NonNegative


class CrossConsistency(Branched):
    """Hold auxiliary decoders, which see disturbed features, to the student's prediction.

    total = supervised(p(x_l), y_l)
            + w(step) * mean over the K decoders of mean_v sum_c (p_k - p)^2, p held constant

    p_k is what decoder k makes of the encoder's features after its disturbance. Labels teach the
    encoder and the student's decoder; unlabeled patches teach the encoder and the others.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Ouali et al., CVPR 2020, arXiv:2003.09005, with its ramp over a tenth of all steps.
    Differs: the weight is that of the paper, 30 on the mean over 21 classes, put on the sum over
    the classes, so that it means the same for any number of them: 30 / 21. As the networks have
    skip connections, the features of every level are disturbed, as in SSL4MIS, which has CCT in 2D
    alone and lets the gradient through the student's prediction. Three of the paper's disturbances,
    one decoder each: those that need a prediction, or its gradient, are left out. The supervised
    loss is ours.
    """

    class Options(Branched.Options):
        """Options of `cct`."""

        consistency_weight: NonNegative = Field(1.43, description="largest weight of the term")
        rampup_fraction: Fraction = Field(0.1, description="part of all steps until that weight")
        perturbations: Annotated[tuple[Perturbation, ...], Field(min_length=1)] = Field(
            ("noise", "drop", "dropout"),
            description="how the features are disturbed; one decoder each",
        )

    def build_branches(self) -> nn.Module:
        """A decoder like the student's for each disturbance."""
        return nn.ModuleList(fresh_copy(self.decoder) for _ in self.options.perturbations)

    def agreement(
        self, seen: Seen, outputs: list[Tensor], batch: Batch, step: int
    ) -> dict[str, Tensor]:
        """Hold every auxiliary decoder to the student's on the unlabeled patches."""
        levels = [level[seen.num_labeled :] for level in seen.levels]
        if not len(levels[0]):
            return {}
        loss = cross_consistency_loss(seen.logits[seen.num_labeled :], self.auxiliary(levels))
        return {"consistency": self.weight_at(step) * loss}

    def auxiliary(self, levels: list[Tensor]) -> list[Tensor]:
        """The logits that each auxiliary decoder gives for its own disturbed features."""
        assert isinstance(self.branches, nn.ModuleList)
        pairs = zip(self.branches, self.options.perturbations, strict=True)
        return [
            branch([PERTURBATIONS[name](level) for level in levels]).float()
            for branch, name in pairs
        ]


def cross_consistency_loss(logits: Tensor, auxiliary: list[Tensor]) -> Tensor:
    """Mean over decoders and voxels of the sum over classes of (p_k - p) ** 2, p held constant.

    Shapes: logits, and those of each auxiliary decoder, (B, classes, I, J, K).
    """
    target = logits.softmax(dim=1).detach()
    return mean([(one.softmax(dim=1) - target).square().sum(dim=1).mean() for one in auxiliary])
