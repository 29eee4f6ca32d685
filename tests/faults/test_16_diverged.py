"""Row 16. A training whose loss is no number ends with 1, and keeps its last good state."""

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import load_progress
from samssl_cli.errors import TrainingError
from samssl_cli.training.batches import PatchStreams

BATCH = PatchStreams.batch


def broken_at(bad_steps, value=float("nan")):
    """Give images that are no numbers at these steps."""

    def batch(self, step):
        given = BATCH(self, step)
        if step in bad_steps:
            given.labeled_image.fill_(value)
        return given

    return batch


@pytest.fixture
def training(loop, tmp_path):
    return loop.linked(tmp_path, "cases", overrides=("train_ssl.steps=16",))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_row_16_it_stops_and_the_last_good_state_stays(training, monkeypatch, value):
    monkeypatch.setattr(PatchStreams, "batch", broken_at(range(5, 99), value))
    for _ in range(2):  # nor does it crawl on, a few steps with every attempt
        with pytest.raises(TrainingError, match=r"5 steps up to step 9 .*learning_rate") as caught:
            training.train()
        assert caught.value.exit_code == 1
        state = load_progress(training.out / "specialist.zarr.progress")
        assert state.step == 4  # of checkpoint_every = 2
        arrays = [array for tensors in state.modules.values() for array in tensors.values()]
        assert all(np.isfinite(array).all() for array in arrays)
    assert not training.path("specialist").exists()


def test_row_16_a_few_bad_steps_are_skipped_and_a_stop_among_them_changes_nothing(
    training, tmp_path, hashes, monkeypatch, stop_after
):
    monkeypatch.setattr(PatchStreams, "batch", broken_at(range(5, 9)))
    training.train()
    whole = hashes(training.path("specialist"))
    (tmp_path / "again").mkdir()
    again = training.linked(tmp_path / "again", "cases")
    with stop_after(6):
        again.train()
    assert load_progress(again.out / "specialist.zarr.progress").step == 4
    again.train()
    assert hashes(again.path("specialist")) == whole


def test_row_16_a_rate_that_explodes(samssl, loop, command, tmp_path):
    output = tmp_path / "specialist.zarr"
    options = ("--steps", 60, "--set", "train_ssl.learning_rate=1e30")
    options += ("--set", "train_ssl.max_gradient_norm=0", "--set", "train_ssl.optimizer=sgd")
    done = samssl(*command("train-ssl", loop.out, output, *options))
    assert (done.code, done.stdout) == (1, "")
    assert "not finite in 5 steps" in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()
