"""Row 18. A device that is not there is told; what was made on one is used on another."""

import pytest
import torch

from samssl_cli.generalists.state_dict import read_tensors

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")

COMMANDS = ("train-ssl", "prompt", "sam-label", "retrain", "evaluate")


@needs_no_gpu
@pytest.mark.parametrize("stage", COMMANDS)
def test_row_18_cuda_where_there_is_none(stage, samssl, loop, command, output_of, tmp_path):
    output = tmp_path / f"{output_of[stage]}.zarr"
    done = samssl(*command(stage, loop.out, output)[:-1], "cuda")
    assert (done.code, done.stdout) == (1, "")
    assert "device cuda was asked for" in done.stderr
    assert "use --device cpu" in done.stderr
    assert not list(tmp_path.glob(f"{output.name}*"))


@needs_no_gpu
@pytest.mark.parametrize("stage", COMMANDS)
def test_row_18_auto_takes_the_cpu_and_says_so(
    stage, samssl, loop, command, output_of, tmp_path, hashes
):
    output = tmp_path / f"{output_of[stage]}.zarr"
    done = samssl(*command(stage, loop.out, output)[:-1], "auto")
    assert done.code == 0, done.stderr
    assert "finds no CUDA device: on the CPU" in done.stderr
    assert hashes(output) == hashes(loop.path(output_of[stage]))


def test_row_18_half_precision_is_for_cuda_alone(loop, tmp_path, hashes):
    """The same bytes of a training: on a CPU, mixed precision is left out."""
    weights = []
    for name in ("true", "false"):
        (tmp_path / name).mkdir()
        overrides = (f"train_ssl.mixed_precision={name}",)
        half = loop.linked(tmp_path / name, "cases", overrides=overrides)
        weights.append(hashes(half.train() / "student"))
    assert weights[0] == weights[1]


@needs_no_gpu
def test_row_18_weights_of_a_gpu_are_read_on_the_cpu(tmp_path, monkeypatch):
    path = tmp_path / "gpu.pth"
    with monkeypatch.context() as saving:
        saving.setattr(torch.serialization, "location_tag", lambda storage: "cuda:1")
        torch.save({"model": {"w": torch.arange(3.0)}}, path)
    with pytest.raises(RuntimeError, match="CUDA"):  # it does say where it was
        torch.load(path, weights_only=True)
    tensors = read_tensors(path, published="anything")
    assert tensors["w"].tolist() == [0, 1, 2]
    assert tensors["w"].device.type == "cpu"
