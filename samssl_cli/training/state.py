"""A training run as plain arrays, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samssl_cli.artifacts.checkpoint import Snapshot, Tensors


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
    """Continue from a snapshot; what follows is bit-equal to a run that never stopped (on CPU)."""
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
