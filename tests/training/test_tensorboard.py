import sys

import pytest

from samssl_cli.errors import UsageError
from samssl_cli.training.tensorboard import curve_writer


def test_without_a_directory_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with curve_writer(None) as on_step:
        on_step(1, {"supervised": 0.5})
    assert list(tmp_path.iterdir()) == []


def test_the_loss_terms_are_written_as_scalars(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with curve_writer(tmp_path / "curves") as on_step:
        on_step(1, {"supervised": 0.5, "sam": 0.25})
        on_step(2, {"supervised": 0.375, "sam": 0.125})

    events = reader.EventAccumulator(str(tmp_path / "curves")).Reload()

    assert sorted(events.Tags()["scalars"]) == ["loss/sam", "loss/supervised"]
    written = [(event.step, event.value) for event in events.Scalars("loss/supervised")]
    assert written == [(1, 0.5), (2, 0.375)]


def test_a_missing_tensorboard_names_the_cure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(UsageError, match=r"pip install tensorboard"),
        curve_writer(tmp_path),
    ):
        pass
