"""Row 17. Too little memory, on the device or of the machine: less at a time, or one clear line."""

import numpy as np
import pytest
import torch
from torch import nn

from samssl_cli import __main__ as program
from samssl_cli.errors import DeviceError
from samssl_cli.inference.sliding_window import predict_probability
from samssl_cli.recipe import Inference

PATCH = (8, 8, 8)


class Small(nn.Module):
    """A network on a device whose memory holds so many windows."""

    def __init__(self, most):
        super().__init__()
        torch.manual_seed(0)
        self.network, self.most, self.batches = nn.Conv3d(1, 3, 3, padding=1), most, []

    def forward(self, windows):
        self.batches.append(len(windows))
        if len(windows) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return self.network(windows)


def predict(network, **options):
    image = np.random.default_rng(0).normal(size=(1, 20, 14, 9)).astype(np.float32)
    return predict_probability(
        network,
        image,
        patch_size=PATCH,
        options=Inference(**options),
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize("flips", [False, True], ids=["once", "flips"])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_row_17_fewer_windows_at_a_time_give_the_same(most, flips):
    enough, small = Small(99), Small(most)
    expected = predict(enough, window_batch=8, flips=flips)
    np.testing.assert_allclose(predict(small, window_batch=8, flips=flips), expected, atol=1e-6)
    largest = {1: 1, 2: 2, 3: 2}[most]  # of 8, 4, 2, 1
    failed = [size for size in small.batches if size > most]
    assert failed == [size for size in (8, 4, 2) if size > most]  # once each, also with flips
    assert max(small.batches[len(failed) :]) == largest


def test_row_17_one_window_that_does_not_fit_is_one_clear_line():
    small = Small(0)
    with pytest.raises(DeviceError, match=r"one window of 8 x 8 x 8 voxels .* --device cpu"):
        predict(small, window_batch=4)
    assert small.batches == [4, 2, 1]


def test_row_17_other_errors_of_a_network_are_not_taken_for_it():
    def broken(windows):
        raise RuntimeError("expected 2 channels")

    with pytest.raises(RuntimeError, match="expected 2 channels"):
        predict(broken)


@pytest.mark.parametrize(
    "problem",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        MemoryError("Unable to allocate 8.00 GiB for an array"),
    ],
    ids=["device", "torch on the CPU", "numpy"],
)
def test_row_17_a_training_that_does_not_fit_names_the_knobs(monkeypatch, capsys, problem):
    from samssl_cli import cli

    def app():
        raise problem

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(program, "leave_on_signals", lambda: None)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == 1
    told = capsys.readouterr().err
    assert str(problem) in told
    for knob in ("patch_size", "labeled_batch", "window_batch", "--device cpu"):
        assert knob in told


def test_row_17_a_bug_keeps_its_traceback(monkeypatch):
    from samssl_cli import cli

    def app():
        raise RuntimeError("a bug")

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(program, "leave_on_signals", lambda: None)
    with pytest.raises(RuntimeError, match="a bug"):
        program.main()
