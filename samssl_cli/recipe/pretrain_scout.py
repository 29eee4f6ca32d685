"""The section of `pretrain-scout`."""

from pydantic import Field

from samssl_cli.recipe.optimization import Optimization
from samssl_cli.recipe.section import Fraction, PositiveCount


class PretrainScout(Optimization):
    """How `scout` learns from procedural scenes."""

    steps: PositiveCount = Field(3600, description="optimisation steps; each draws a new scene")
    batch_size: PositiveCount = Field(4, description="prompts per step")
    average_decay: Fraction = Field(
        0.995, description="of the running mean of the weights, which is what is kept"
    )
