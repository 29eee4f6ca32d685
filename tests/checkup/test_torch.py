"""Builds and devices that are not here are stood in for."""

import sys
from types import SimpleNamespace

import pytest
import torch

from samssl_cli.checkup import torch as checks
from samssl_cli.checkup.torch import check_torch, nvidia_gpus

GPU = {"name": "NVIDIA A100", "memory.total": "40960 MiB", "driver_version": "470.1"}


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    monkeypatch.setattr(checks, "nvidia_gpus", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def pretend(monkeypatch, *, cuda=None, hip=None, devices=()):
    """Let torch look as if it were another build that finds these (free, total, sum) devices."""
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(devices))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(devices))

    def properties(name):
        if devices[int(name[-1])] is None:
            raise RuntimeError("CUDA error: no kernel image is available\nand more")
        return SimpleNamespace(name="A100", major=8, minor=0)

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda name: devices[int(name[-1])])
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *shape, device=None: ones(*shape))


def test_a_cpu_build_without_a_gpu(named, monkeypatch):
    pretend(monkeypatch)
    found = named(check_torch())
    assert found["torch"].facts["version"] == torch.__version__
    assert found["torch"].facts["build"] == "the CPU"
    assert found["cuda"].severity == "ok"
    assert found["torch-threads"].facts["intra_op"] == torch.get_num_threads()
    assert "mps" in found


@pytest.mark.parametrize(
    ("versions", "hidden", "severity", "told", "cure"),
    [
        ({}, None, "note", "this torch is built for the CPU", "without constraints-cpu.txt"),
        ({"cuda": "13.0"}, None, "problem", "torch for CUDA 13.0 cannot use it", "driver (470.1)"),
        ({"cuda": "13.0"}, "", "note", "CUDA_VISIBLE_DEVICES= leaves", "unset"),
        ({"hip": "7.0"}, None, "problem", "torch for ROCm 7.0", "driver"),
    ],
)
def test_a_gpu_that_torch_cannot_use(named, monkeypatch, versions, hidden, severity, told, cure):
    pretend(monkeypatch, **versions)
    monkeypatch.setattr(checks, "nvidia_gpus", lambda: [GPU])
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    found = named(check_torch())["cuda"]
    assert found.severity == severity
    assert told in found.found
    assert cure in found.cure
    assert found.facts["driver"] == "470.1"


def test_devices_of_which_one_is_busy_and_one_too_new(named, monkeypatch):
    pretend(monkeypatch, cuda="13.0", devices=[(30e9, 40e9), (10e9, 40e9), None])
    found = named(check_torch())
    assert found["cuda"].found.startswith("3 device(s)")
    assert found["cuda:0"].severity == "ok"
    assert found["cuda:0"].found == "A100, 30.0 GB of 40.0 GB free"
    assert found["cuda:1"].severity == "note"
    assert found["cuda:2"].severity == "problem"
    assert "no kernel image is available" in found["cuda:2"].found


def test_a_device_that_computes_something_else(named, monkeypatch):
    pretend(monkeypatch, cuda="13.0", devices=[(30e9, 40e9)])
    monkeypatch.setattr(torch.nn.functional, "conv3d", lambda *_: torch.zeros(1))
    assert "the sum of 27 ones is 0.0" in named(check_torch())["cuda:0"].found


def test_a_torch_that_cannot_be_imported(named, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    found = named(check_torch())
    assert [*found] == ["torch"]
    assert found["torch"].severity == "problem"


def test_what_the_driver_tells(monkeypatch, tmp_path):
    monkeypatch.undo()
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA A100, 40960 MiB, 470.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert nvidia_gpus() == [GPU]
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert nvidia_gpus() == []
