"""The section of every prediction."""

from typing import Annotated

from pydantic import Field

from samssl_cli.recipe.section import NonNegative, PositiveCount, Section


class Inference(Section):
    """Sliding-window prediction, always with the patch size of the training."""

    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="of adjoining windows")
    window_batch: PositiveCount = Field(2, description="windows per forward pass")
    flips: bool = Field(
        False,
        description="mean of the predictions of all 8 mirrored volumes, in 8 times the time; a "
        "network that was trained without all augmentation.flip_axes gets worse by it",
    )
    blur_sigma_voxels: NonNegative = Field(
        0.0,
        description="Gaussian blur of the probabilities on the common grid: fewer thin spurs, "
        "rounder objects, none that is thinner than this",
    )
