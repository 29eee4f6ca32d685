"""A training run as plain arrays, and back.

A state lies beside an artifact until that is sealed, and anybody may have put it there: it is
compared with the training that is to go on before anything of it is believed.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samssl_cli.artifacts.checkpoint import Snapshot, Tensors

_SCALAR = "step"
_KEPT: Mapping[type[torch.optim.Optimizer], frozenset[str]] = {
    torch.optim.AdamW: frozenset({_SCALAR, "exp_avg", "exp_avg_sq"}),
    torch.optim.SGD: frozenset({"momentum_buffer"}),
}
"""Quantities that an optimiser keeps of each parameter, in its shape but for the step."""


def take_snapshot(
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    step: int,
    curves: Mapping[str, NDArray[np.float32]],
) -> Snapshot:
    """Copy the state after `step` steps to the CPU."""
    return Snapshot(
        step=step,
        modules={name: to_arrays(module.state_dict()) for name, module in modules.items()},
        optimizer=to_arrays(_flat(optimizer.state_dict()["state"])),
        scaler={key: float(value) for key, value in scaler.state_dict().items()},
        curves={name: curve[:step].copy() for name, curve in curves.items()},
    )


def restore(
    snapshot: Snapshot,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Continue from a snapshot; what follows is bit-equal to a run that never stopped (on CPU).

    Raises:
        ValueError: when it is none of this training; `KeyError`, `TypeError`, for a part of it.
    """
    for name, module in modules.items():
        _check_weights(snapshot.modules[name], module, name)
    _check_optimizer(snapshot.optimizer, optimizer)
    _check_curves(snapshot)
    for name, module in modules.items():
        module.load_state_dict(to_tensors(snapshot.modules[name]))
    state = optimizer.state_dict()
    state["state"] = _nested(to_tensors(snapshot.optimizer))
    optimizer.load_state_dict(state)
    if snapshot.scaler:
        whole = ("growth_interval", "_growth_tracker")
        scaler.load_state_dict(
            {key: int(v) if key in whole else v for key, v in snapshot.scaler.items()}
        )


def _check_weights(found: Tensors, module: nn.Module, name: str) -> None:
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    if {key: array.shape for key, array in found.items()} != expected:
        raise ValueError(f"the weights of {name} are those of another network")


def _check_optimizer(found: Tensors, optimizer: torch.optim.Optimizer) -> None:
    shapes = [tuple(p.shape) for group in optimizer.param_groups for p in group["params"]]
    kept, of_parameter = _KEPT[type(optimizer)], dict[int, set[str]]()
    for key, array in found.items():
        index, _, quantity = key.partition(".")
        expected = () if quantity == _SCALAR else shapes[int(index)]
        if array.shape != expected or (quantity == _SCALAR and not array >= 0):
            raise ValueError(f"optimiser: {key[:80]} of shape {array.shape}, expected {expected}")
        of_parameter.setdefault(int(index), set()).add(quantity)
    if any(quantities != kept for quantities in of_parameter.values()):
        raise ValueError(f"optimiser: expected {', '.join(sorted(kept))} of each parameter")


def _check_curves(snapshot: Snapshot) -> None:
    for name, curve in snapshot.curves.items():
        if curve.shape != (snapshot.step,) or curve.dtype.kind != "f":
            raise ValueError(f"curve {name[:80]} of shape {curve.shape}, of {snapshot.step} steps")
    if not all(math.isfinite(value) for value in snapshot.scaler.values()):
        raise ValueError(f"scaler {str(snapshot.scaler)[:80]}")


def to_arrays(tensors: Mapping[str, Tensor]) -> Tensors:
    """Copy named tensors into arrays."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}


def to_tensors(arrays: Tensors) -> dict[str, Tensor]:
    """Copy named arrays into tensors."""
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _flat(state: Mapping[int, Mapping[str, Any]]) -> dict[str, Tensor]:
    """`{parameter: {quantity: tensor}}` as `{"parameter.quantity": tensor}`."""
    return {
        f"{index}.{quantity}": value
        for index, quantities in state.items()
        for quantity, value in quantities.items()
        if isinstance(value, Tensor)
    }


def _nested(flat: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in flat.items():
        index, _, quantity = key.partition(".")
        state.setdefault(int(index), {})[quantity] = tensor
    return state
