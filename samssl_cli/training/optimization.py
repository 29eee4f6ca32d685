"""The optimiser and how its learning rate falls."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from samssl_cli.recipe import Optimization


def build_optimizer(
    parameters: Iterable[nn.Parameter], options: Optimization
) -> torch.optim.Optimizer:
    """Build the optimiser that the recipe names; on a CUDA device, all in one kernel."""
    parameters = list(parameters)
    fused = True if any(one.is_cuda for one in parameters) else None
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
            fused=fused,
        )
    return torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay, fused=fused
    )


def learning_rate_at(step: int, options: Optimization) -> float:
    """The learning rate of `step`, counted from 0."""
    done = step / options.steps
    factors: dict[str, float] = {
        "constant": 1.0,
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),
        "poly": (1 - done) ** options.poly_power,
        "step": 0.1 ** (step // options.decay_every),
    }
    return options.learning_rate * factors[options.schedule]
