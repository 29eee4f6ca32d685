"""A second network, or part of one, of the same architecture that starts elsewhere."""

import copy
from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def fresh_copy(network: Module) -> Module:
    """Copy a network and draw its weights anew, each layer as PyTorch does by default.

    Two networks that start alike would agree for ever and teach each other nothing. A layer without
    `reset_parameters` keeps its weights.
    """
    fresh = copy.deepcopy(network)
    for module in fresh.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
    return fresh
