"""Where the networks run, and on how many threads."""

import os
from typing import TYPE_CHECKING

from samssl_cli.errors import DeviceError

if TYPE_CHECKING:
    import torch


def pick_device(wanted: str) -> "torch.device":
    """Turn `auto`, `cpu`, `cuda`, `cuda:N` or `mps` into a device that exists.

    `auto` takes the first CUDA device, or else the CPU (never MPS, which lacks 3D operators). On a
    CPU the number of threads is that of the cores this process may use, so that jobs that share a
    machine by affinity (Slurm, taskset) do not crowd each other; OMP_NUM_THREADS overrides it.

    Raises:
        DeviceError: when the device is unknown or not there.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(num_cores())
    has_cuda = torch.cuda.is_available()
    if wanted == "auto":
        return torch.device("cuda" if has_cuda else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise DeviceError(
            f"unknown device {wanted!r}; use auto, cpu, cuda, cuda:N or mps"
        ) from error
    _check_exists(device)
    return device


def num_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_exists(device: "torch.device") -> None:
    import torch

    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise DeviceError(
            f"device {device} was asked for, but torch {torch.__version__} finds {found} CUDA "
            "devices; use --device cpu, or install the CUDA build of torch"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device mps was asked for, but it is not there; use --device cpu")
