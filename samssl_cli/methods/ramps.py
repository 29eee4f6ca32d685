"""How the weight of a loss term moves over the training."""

import math

from pydantic import Field

from samssl_cli.recipe import Fraction, NonNegative, Section


def sigmoid_ramp_up(step: int, ramp_steps: int) -> float:
    """Rise from exp(-5) at step 0 to 1 at `ramp_steps`: exp(-5 (1 - t)^2).

    Source: Laine & Aila, ICLR 2017, arXiv:1610.02242, sec. 4.
    """
    if ramp_steps <= 0:
        return 1.0
    remaining = 1 - min(step / ramp_steps, 1.0)
    return math.exp(-5 * remaining**2)


def sigmoid_ramp_down(step: int, ramp_steps: int) -> float:
    """Fall from 1 at step 0 to exp(-5) at `ramp_steps`, and stay there: the ramp-up in reverse.

    Source: SemiSAM (Zhang et al., 2023, arXiv:2312.06316), the weight of the generalist's term.
    """
    if ramp_steps <= 0:
        return math.exp(-5)
    return sigmoid_ramp_up(max(ramp_steps - step, 0), ramp_steps)


class RampedWeight(Section):
    """The options of a term that comes in slowly: what a young network believes is mostly wrong."""

    consistency_weight: NonNegative = Field(0.1, description="largest weight of the term")
    rampup_fraction: Fraction = Field(1.0, description="part of all steps until that weight")

    def weight_at(self, step: int, steps: int) -> float:
        """The weight at `step`, counted from 0, of `steps`."""
        ramp = sigmoid_ramp_up(step, round(self.rampup_fraction * steps))
        return self.consistency_weight * ramp
