"""The section of `prompt`."""

from typing import Annotated, Literal

from pydantic import Field

from samssl_cli.recipe.section import Count, Fraction, NonNegative, PositiveCount, Section


class Prompt(Section):
    """How the specialist's predictions become prompts."""

    strategies: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("mask", "box", "points"), description="rows of `samssl list strategies`, used together"
    )
    uncertainty: Literal["entropy", "stochastic"] = Field(
        "entropy", description="of one prediction, or of the mean of several with dropout and noise"
    )
    num_passes: PositiveCount = Field(8, description="predictions for stochastic uncertainty")
    input_noise_std: NonNegative = Field(0.1, description="noise of the stochastic passes")
    min_component_voxels: PositiveCount = Field(64, description="smaller islands are ignored")
    min_component_fraction: Fraction = Field(
        0.25, description="islands smaller than this part of the class's largest are ignored"
    )
    num_sets: PositiveCount = Field(3, description="prompt sets per object, all but one perturbed")
    perturbation: NonNegative = Field(
        0.1, description="size of the perturbations, relative to the object's mean half-width"
    )
    box_margin_voxels: Count = Field(2, description="added on every side of a box")
    num_positive: Count = Field(3, description="points inside the object")
    num_negative: Count = Field(2, description="points outside, near its border")
    confident: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.8, description="probability from which a voxel counts as confident"
    )
