from dataclasses import replace

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import Checkpoint, Snapshot, load_progress, save_progress
from samssl_cli.errors import DamagedArtifactError


def snapshot(step):
    weights = {"w": np.full((2, 3), step, np.float32), "n": np.array(step, np.int64)}
    return Snapshot(
        step=step,
        modules={"student": weights, "teacher": {}},
        optimizer={"0.exp_avg": np.arange(3.0)},
        scaler={"scale": 2.0},
        curves={"supervised": np.arange(step, dtype=np.float32)},
    )


def test_a_state_comes_back(tmp_path):
    save_progress(tmp_path, snapshot(3))
    back = load_progress(tmp_path)
    assert back is not None
    assert (back.step, back.scaler) == (3, {"scale": 2.0})
    np.testing.assert_array_equal(back.modules["student"]["w"], np.full((2, 3), 3))
    assert back.modules["student"]["n"].shape == ()
    assert back.modules["teacher"] == {}
    np.testing.assert_array_equal(back.optimizer["0.exp_avg"], [0, 1, 2])
    np.testing.assert_array_equal(back.curves["supervised"], [0, 1, 2])


def test_nothing_saved_is_no_state(tmp_path):
    assert load_progress(tmp_path / "never") is None


def test_two_states_are_kept(tmp_path):
    for step in (1, 2, 9, 10):
        save_progress(tmp_path, snapshot(step))
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000009", "step-00000010"]


@pytest.mark.parametrize("file", ["zarr.json", "optimizer/c/0", "module.student/zarr.json"])
@pytest.mark.parametrize("content", [b"", b"{}", None], ids=["empty", "other", "deleted"])
def test_a_damaged_newest_state_falls_back_to_the_one_before(tmp_path, file, content):
    for step in (1, 2):
        save_progress(tmp_path, snapshot(step))
    harmed = tmp_path / "step-00000002" / file
    harmed.unlink() if content is None else harmed.write_bytes(content)
    back = load_progress(tmp_path)
    assert back is not None
    assert back.step == 1


def test_a_state_may_be_written_again(tmp_path):
    save_progress(tmp_path, snapshot(2))
    save_progress(tmp_path, replace(snapshot(2), scaler={}))
    back = load_progress(tmp_path)
    assert back is not None
    assert back.scaler == {}


def test_a_checkpoint_knows_what_a_reader_needs(loop):
    checkpoint = Checkpoint(loop.path("specialist"))
    assert checkpoint.patch_size == (16, 16, 16)
    assert checkpoint.network == loop.recipe.network.with_norm("batch")
    assert checkpoint.facts.class_names == ("background", "organ", "vessel")
    assert checkpoint.weights().keys() == checkpoint.weights("student").keys()
    assert all(np.isfinite(array).all() for array in checkpoint.weights().values())


def test_damaged_weights_are_named(loop, tmp_path):
    import shutil

    copy = shutil.copytree(loop.path("specialist"), tmp_path / "copy.zarr")
    chunk = copy / "teacher/tensors/c/0"
    chunk.write_bytes(chunk.read_bytes()[::-1])
    with pytest.raises(DamagedArtifactError, match="teacher/tensors/c/0"):
        Checkpoint(copy).weights("teacher")


def test_what_is_no_state_is_not_looked_at_and_stays(tmp_path):
    for step in (1, 2, 3):
        save_progress(tmp_path, snapshot(step))
    (tmp_path / "step-zzz").mkdir()
    (tmp_path / "step-99999998").write_text("a file")
    (tmp_path / "step-99999999").symlink_to(tmp_path / "step-00000002")
    save_progress(tmp_path, snapshot(4))
    back = load_progress(tmp_path)
    assert back is not None
    assert (back.step, back.where) == (4, tmp_path / "step-00000004")
    assert sorted(path.name for path in tmp_path.glob("step-*")) == [
        "step-00000003",
        "step-00000004",
        "step-99999998",
        "step-99999999",
        "step-zzz",
    ]
