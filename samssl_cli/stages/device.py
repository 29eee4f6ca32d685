"""Where the networks run, and on how many threads."""

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.errors import DeviceError
from samssl_cli.progress import Progress
from samssl_cli.stages.allocator import keep_freed_memory

if TYPE_CHECKING:
    import torch


def pick_device(wanted: str, progress: Progress | None = None) -> "torch.device":
    """Turn `auto`, `cpu`, `cuda`, `cuda:N` or `mps` into a device that exists.

    `auto` takes the first CUDA device, or else the CPU and says so (never MPS, which lacks 3D
    operators). On a CPU the number of threads is that of the cores this process may use, so that
    jobs that share a machine by affinity (Slurm, taskset) do not crowd each other; OMP_NUM_THREADS
    overrides it. Memory that is freed is kept for the next tensor.

    Raises:
        DeviceError: when the device is unknown or not there.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(num_cores())
    keep_freed_memory()
    has_cuda = torch.cuda.is_available()
    if wanted == "auto" and not has_cuda and progress is not None:
        progress.note(f"torch {torch.__version__} finds no CUDA device: on the CPU")
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


def describe_hardware(device: "torch.device", *, num_processes: int = 1) -> dict[str, str | int]:
    """What a network ran on, for the record: the device, its name, and the cores beside it.

    Of several processes, it is what the first one ran on, and how many they were.
    """
    import torch

    is_cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if is_cuda else _processor_name()
    found: dict[str, str | int] = {"device": device.type, "name": name, "cores": num_cores()}
    return found if num_processes == 1 else {**found, "processes": num_processes}


def _processor_name() -> str:
    """The processor as Linux or the platform calls it; empty when nobody knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


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
