"""The section of the random changes of training patches."""

from typing import Annotated

from pydantic import Field, model_validator

from samssl_cli.recipe.section import Fraction, NonNegative, Section


class Augmentation(Section):
    """Random changes of a training patch; each range is drawn from uniformly."""

    rotation_rad: NonNegative = Field(0.35, description="largest rotation about each axis")
    scale: Annotated[float, Field(ge=0, lt=0.9)] = Field(
        0.25, description="largest relative change of size"
    )
    elastic: NonNegative = Field(
        0.08, description="largest elastic shift, as a fraction of half the patch"
    )
    affine_probability: Fraction = Field(1.0, description="how often a patch is warped")
    flip_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] = Field(
        (), description="axes that are mirrored half of the time (0 left-right, 1, 2)"
    )
    rotate90_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] = Field(
        (), description="two axes that span the plane of random quarter turns"
    )
    intensity_probability: Fraction = Field(
        0.5, description="how often each of the intensity changes below is applied"
    )
    brightness: NonNegative = Field(0.2, description="largest shift, in standard deviations")
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(0.3, description="largest scaling - 1")
    gamma: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.3, description="largest |log2| of the gamma curve"
    )
    noise_std: NonNegative = Field(0.15, description="largest noise, in standard deviations")
    blur_sigma_voxels: NonNegative = Field(1.0, description="largest Gaussian blur")
    bias_field: NonNegative = Field(0.3, description="largest smooth multiplicative drift")

    @model_validator(mode="after")
    def _plane_has_two_axes(self) -> "Augmentation":
        if len(set(self.rotate90_axes)) not in (0, 2) or len(self.rotate90_axes) not in (0, 2):
            raise ValueError("rotate90_axes names two different axes, or none")
        return self

    @model_validator(mode="after")
    def _flips_each_axis_once(self) -> "Augmentation":
        if len(set(self.flip_axes)) < len(self.flip_axes):
            raise ValueError("flip_axes names an axis twice")
        return self
