"""How the weight of a loss term moves over the training."""

import math


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
