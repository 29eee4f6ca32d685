"""Mutual consistency: decoders that upsample differently teach each other."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from samssl_cli.methods.branched import Branched, Seen
from samssl_cli.methods.method import Batch
from samssl_cli.networks.decoders import with_upsampling
from samssl_cli.recipe import Fraction, NonNegative, Positive


class MutualConsistency(Branched):
    """Hold each of several decoders to the sharpened predictions of the others.

    total = lambda * sum over decoders i of supervised(p_i(x_l), y_l)
            + w(step) * sum over i != j of mean((p_i - sharpened_j) ** 2)
    sharpened_j = p_j^(1/T) / sum_c p_j^(1/T), held constant

    One encoder serves all decoders. The student's own upsamples by transposed convolutions, the
    others by interpolation. The last mean runs over labeled and unlabeled patches, voxels and
    classes.

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Wu et al., MICCAI 2021, arXiv:2103.02911 (two decoders), and MC-Net+, MedIA 2022,
    arXiv:2109.09960 (three, the default); lambda, T, the weight and its schedule from its
    published code.
    Differs: the gradient stops at the sharpened predictions, which are pseudo-labels; published
    code lets it through, so that the targets move towards the predictions. The supervised loss is
    ours (Dice and cross-entropy).
    """

    class Options(Branched.Options):
        """Options of `mc-net`."""

        consistency_weight: NonNegative = Field(1.0, description="largest weight of the term")
        rampup_fraction: Fraction = Field(0.4, description="part of all steps until that weight")
        supervised_weight: NonNegative = Field(
            0.5, description="weight of the supervised loss of each decoder (lambda)"
        )
        temperature: Positive = Field(0.1, description="T of the sharpening; 1 leaves it out")
        upsampling: Annotated[tuple[Literal["linear", "nearest"], ...], Field(min_length=1)] = (
            Field(
                ("linear", "nearest"),
                description="interpolation of each decoder beside the student's own",
            )
        )

    def build_branches(self) -> nn.Module:
        """A decoder for each kind of upsampling."""
        kinds = self.options.upsampling
        return nn.ModuleList(with_upsampling(self.decoder, kind) for kind in kinds)

    def outputs(self, seen: Seen) -> list[Tensor]:
        """The logits of every decoder, the student's first."""
        assert isinstance(self.branches, nn.ModuleList)
        return [seen.logits, *(branch(seen.levels).float() for branch in self.branches)]

    def supervised_loss(self, batch: Batch, logits: Tensor) -> Tensor:
        """One decoder's loss, times the number of decoders: their mean is to be a sum."""
        weight: float = self.options.supervised_weight * (len(self.options.upsampling) + 1)
        return weight * super().supervised_loss(batch, logits)

    def agreement(
        self, seen: Seen, outputs: list[Tensor], batch: Batch, step: int
    ) -> dict[str, Tensor]:
        """Hold each decoder to every other on all patches."""
        loss = mutual_loss(outputs, temperature=self.options.temperature)
        return {"consistency": self.weight_at(step) * loss}


def mutual_loss(outputs: list[Tensor], *, temperature: float) -> Tensor:
    """Sum over ordered pairs of the mean squared error to the other's sharpened probabilities.

    Shapes: logits of each decoder (B, classes, I, J, K), two decoders or more.
    """
    probabilities = [one.softmax(dim=1) for one in outputs]
    targets = [sharpened(one, temperature).detach() for one in outputs]
    pairs = [
        (probability - target).square().mean()
        for i, probability in enumerate(probabilities)
        for j, target in enumerate(targets)
        if i != j
    ]
    return sum(pairs[1:], start=pairs[0])


def sharpened(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities p^(1/T) / sum_c p^(1/T), which is softmax(logits / T)."""
    return (logits / temperature).softmax(dim=1)
