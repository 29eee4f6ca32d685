"""What a measurement was made on."""

import platform
from importlib import metadata
from typing import Any

_PACKAGES = ("samssl", "torch", "monai", "numpy", "scipy", "typer")


def machine() -> dict[str, Any]:
    """Hardware, number of threads, and versions, as JSON values."""
    import torch

    from samssl_cli.stages.device import describe_hardware

    return {
        "hardware": {
            **describe_hardware(torch.device("cpu")),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        },
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
