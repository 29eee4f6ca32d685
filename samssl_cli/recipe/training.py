"""The sections of `train-ssl` and `retrain`."""

from typing import Annotated, Literal, Self

from pydantic import Field

from samssl_cli.recipe.optimization import Optimization
from samssl_cli.recipe.section import Count, Fraction, NonNegative, PositiveCount, Size, Tables


class Training(Optimization):
    """What `train-ssl` and `retrain` share."""

    method: str = Field("mean-teacher", description="a row of `samssl list methods`")
    method_options: Tables = Field(
        default_factory=dict, description="one table per method; that of the chosen one is used"
    )
    patch_size: Size = Field((96, 96, 96), description="voxels of a training patch")
    labeled_batch: PositiveCount = Field(1, description="labeled patches per step")
    unlabeled_batch: Count = Field(1, description="unlabeled patches per step")
    foreground_probability: Fraction = Field(
        0.5, description="how often a labeled patch is centred on a labeled voxel"
    )
    average_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="of the running mean of the weights that predict, which is then what predicts; "
        "0: no mean",
    )

    def narrowed(self) -> Self:
        """The same section with the options of the chosen method alone."""
        chosen = {self.method: self.method_options.get(self.method, {})}
        return self.model_copy(update={"method_options": chosen})


class TrainSsl(Training):
    """The specialist, from labeled and unlabeled cases."""


class Retrain(Training):
    """The student, from labeled cases and pseudo-labels."""

    method: str = Field("supervised", description="a row of `samssl list methods`")
    sam_loss: Literal["dice-ce", "ce", "mse"] = Field(
        "dice-ce", description="how the student is held to the pseudo-label's probabilities"
    )
    sam_weight: NonNegative = Field(1.0, description="largest weight of the pseudo-label term")
    sam_schedule: Literal["constant", "ramp-up", "ramp-down"] = Field(
        "constant", description="how that weight moves; ramp-down is SemiSAM's"
    )
    sam_ramp_fraction: Fraction = Field(
        1.0, description="part of the steps after the warm-up that the ramp takes"
    )
    sam_warmup_fraction: Fraction = Field(
        0.0, description="part of all steps without a pseudo-label term, before any ramp"
    )
    sam_voxel_weight: Literal["confidence", "accepted"] = Field(
        "confidence",
        description="confidence: a voxel counts as much as its likeliest class is probable; "
        "accepted: all count the same, but those of rejected answers",
    )
    min_confidence: Fraction = Field(
        0.0,
        description="a voxel of a pseudo-label whose likeliest class is less probable than this is "
        "not learned from; with two classes, up to 0.5 changes nothing",
    )
    keep_fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="part of the pseudo-labeled cases that is learned from, the most reliable ones",
    )
    rank_by: Literal["confidence", "agreement"] = Field(
        "confidence",
        description="what makes a case reliable: the mean probability of its foreground, or the "
        "mean agreement of generalist and specialist on its accepted objects",
    )
