"""The section of `adapt`."""

from typing import Annotated, Literal

from pydantic import Field

from samssl_cli.recipe.optimization import Optimization
from samssl_cli.recipe.section import Fraction, Positive, PositiveCount


class Adapt(Optimization):
    """How a generalist is adapted to the labeled cases."""

    steps: PositiveCount = Field(300, description="most steps; the left-out labels say how many")
    learning_rate: Positive = Field(2e-4, description="rate at the start")
    schedule: Literal["constant", "cosine", "poly", "step"] = Field(
        "constant", description="how the rate falls"
    )
    checkpoint_every: PositiveCount = Field(25, description="steps between saved states")
    batch_size: PositiveCount = Field(4, description="prompts per step, replayed ones included")
    replay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="share of them about procedural scenes, so that scout forgets no other"
    )
    average_decay: Fraction = Field(
        0.98, description="of the running mean of the weights, which is what is kept"
    )
    folds: Annotated[int, Field(ge=2, strict=True)] = Field(
        4, description="parts of the labeled cases, each left out once; two halves of a single case"
    )
    check_every: PositiveCount = Field(
        50, description="steps between answers to the prompts on the left-out cases"
    )
    prompts_per_case: PositiveCount = Field(8, description="prompts on each left-out case")
    lora_rank: PositiveCount = Field(
        4, description="of the low-rank updates to the encoder of sam and sam-med3d"
    )
    min_component_voxels: PositiveCount = Field(
        64, description="smaller islands of a label are not prompted"
    )
    min_component_fraction: Fraction = Field(
        0.25, description="nor those smaller than this part of the class's largest"
    )

    @property
    def num_replayed(self) -> int:
        """Prompts per step about procedural scenes; at least one is about a labeled case."""
        return min(round(self.replay * self.batch_size), self.batch_size - 1)

    @property
    def checks(self) -> tuple[int, ...]:
        """The steps after which the left-out cases are asked about, the last one among them."""
        return (*range(self.check_every, self.steps, self.check_every), self.steps)
