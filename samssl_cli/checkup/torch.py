"""The build of PyTorch, and every device that it finds."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from samssl_cli.checkup.finding import Finding, gb, one_line

_DRIVER = Path("/proc/driver/nvidia/version")
_PATIENCE_S = 20.0
_OTHER_BUILD = "pip install --force-reinstall torch torchvision, without constraints-cpu.txt"
_OWN_CPU = "go on with --device cpu, or install torch for this machine (README, Install)"


def check_torch(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Say what torch was built for, what it finds, and whether a convolution runs there."""
    try:
        import torch
    except Exception as error:
        cure = "pip install --force-reinstall torch, or see README, Install"
        yield Finding("torch", "problem", f"cannot be imported: {one_line(error)}", cure)
        return
    yield _build(torch)
    yield _threads(torch)
    yield _cuda(torch, nvidia_gpus())
    for index in range(_num_devices(torch)):
        yield _device(torch, f"cuda:{index}")
    yield _mps(torch)


def nvidia_gpus() -> list[dict[str, str]]:
    """The NVIDIA GPUs as their driver tells them, without torch: name, memory and driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    keys = ("name", "memory.total", "driver_version")
    query = [program, f"--query-gpu={','.join(keys)}", "--format=csv,noheader"]
    done = subprocess.run(
        query, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, errors="replace"
    )
    if done.returncode:
        return []
    rows = [line.split(", ") for line in done.stdout.splitlines() if line.strip()]
    return [dict(zip(keys, row, strict=False)) for row in rows]


def _build(torch: Any) -> Finding:
    build = _kind_of_build(torch)
    facts: dict[str, Any] = {"version": torch.__version__, "build": build}
    facts |= {"cuda": torch.version.cuda, "rocm": getattr(torch.version, "hip", None)}
    try:
        torch.nn.functional.conv3d(torch.ones(1, 1, 3, 3, 3), torch.ones(1, 1, 3, 3, 3))
    except Exception as error:
        told = f"{torch.__version__} cannot compute on the CPU: {one_line(error)}"
        return Finding("torch", "problem", told, "pip install --force-reinstall torch", facts)
    return Finding("torch", "ok", f"{torch.__version__}, built for {build}", facts=facts)


def _kind_of_build(torch: Any) -> str:
    if hip := getattr(torch.version, "hip", None):
        return f"ROCm {hip}"
    return f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU"


def _threads(torch: Any) -> Finding:
    facts: dict[str, Any] = {
        "intra_op": torch.get_num_threads(),
        "inter_op": torch.get_num_interop_threads(),
    }
    said = os.environ.get("OMP_NUM_THREADS")
    facts["OMP_NUM_THREADS"] = said
    told = f"{facts['intra_op']} by itself" if said is None else f"{facts['intra_op']}, as told"
    return Finding("torch-threads", "ok", told, facts=facts)


def _cuda(torch: Any, gpus: Sequence[dict[str, str]]) -> Finding:
    """Whether GPUs can be used, and why not where there are some."""
    is_available = bool(torch.cuda.is_available())
    count = _num_devices(torch)
    facts: dict[str, Any] = {
        "is_available": is_available,
        "num_devices": count,
        "driver": _driver(gpus),
    }
    facts["gpus"] = [dict(gpu) for gpu in gpus]
    if is_available:
        driver = f", driver {facts['driver']}" if facts["driver"] else ""
        return Finding("cuda", "ok", f"{count} device(s){driver}", facts=facts)
    if not gpus:
        return Finding("cuda", "ok", "no device: --device auto takes the CPU", facts=facts)
    names = ", ".join(gpu["name"] for gpu in gpus)
    if _kind_of_build(torch) == "the CPU":
        told = f"{names} is here, and this torch is built for the CPU"
        return Finding("cuda", "note", told, _OTHER_BUILD, facts)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        told = f"{names} is here, and CUDA_VISIBLE_DEVICES={hidden} leaves torch none"
        return Finding("cuda", "note", told, "unset CUDA_VISIBLE_DEVICES to use it", facts)
    told = f"{names} is here, and torch for {_kind_of_build(torch)} cannot use it"
    cure = f"update the NVIDIA driver ({facts['driver']}), or install torch for an older CUDA"
    return Finding("cuda", "problem", told, cure, facts)


def _device(torch: Any, name: str) -> Finding:
    """One device: what it is, and whether a 3D convolution comes back from it right."""
    facts: dict[str, Any] = {"device": name}
    try:
        known = torch.cuda.get_device_properties(name)
        free, total = torch.cuda.mem_get_info(name)
        facts |= {"name": known.name, "total_bytes": total, "free_bytes": free}
        facts["capability"] = f"{known.major}.{known.minor}"
        one = torch.ones(1, 1, 3, 3, 3, device=name)
        answer = float(torch.nn.functional.conv3d(one, one))
    except Exception as error:
        told = f"{facts.get('name', 'a device')} cannot compute: {one_line(error)}"
        return Finding(name, "problem", told, _OWN_CPU, facts)
    told = f"{known.name}, {gb(free)} of {gb(total)} free"
    if answer != one.numel():
        told += f"; the sum of {one.numel()} ones is {answer} there"
        return Finding(name, "problem", told, _OWN_CPU, facts)
    if free < total / 2:
        return Finding(name, "note", told, "another program uses it: see nvidia-smi", facts)
    return Finding(name, "ok", told, facts=facts)


def _mps(torch: Any) -> Finding:
    is_available = bool(torch.backends.mps.is_available())
    told = "is there; it lacks 3D operators, so that auto takes the CPU"
    return Finding(
        "mps", "ok", told if is_available else "none", facts={"is_available": is_available}
    )


def _num_devices(torch: Any) -> int:
    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def _driver(gpus: Sequence[dict[str, str]]) -> str | None:
    if gpus:
        return gpus[0].get("driver_version")
    try:
        return one_line(_DRIVER.read_text(encoding="utf-8").splitlines()[0])
    except (OSError, IndexError):
        return None
