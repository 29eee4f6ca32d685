"""The section of the calibrated gate."""

from typing import Annotated

from pydantic import Field, model_validator

from samssl_cli.recipe.section import Count, NonNegative, Positive, PositiveCount, Section


class Gate(Section):
    """How the calibrated gate learns what the answers are worth; see docs/gate.md."""

    num_draws: PositiveCount = Field(
        24,
        description="simulated specialists, shared among the labeled cases; each has four at least",
    )
    severity: tuple[NonNegative, Positive] = Field(
        (0.2, 1.4), description="how mistaken they are, from the best to the worst"
    )
    voxels_per_object: PositiveCount = Field(
        4000, description="voxels of each simulated object that are learned from"
    )
    penalty: Positive = Field(1e-3, description="L2 penalty of the logistic regression")
    standard_errors: NonNegative = Field(
        1.0,
        description="by how many the gated Dice has to exceed the specialist's, out of fold, for "
        "the generalist to be let in",
    )
    volume_margin: Annotated[float, Field(ge=1)] = Field(
        2.0,
        description="an object this many times larger or smaller than all that were seen keeps "
        "the specialist's label",
    )
    seed: Count = Field(0, description="of the simulated specialists and the voxels")

    @model_validator(mode="after")
    def _severity_rises(self) -> "Gate":
        if self.severity[0] > self.severity[1]:
            raise ValueError("severity names the smaller number first")
        return self
