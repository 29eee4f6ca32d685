"""Row 4. A full disk: exit 1 with the path and what is free; what is done stays, and goes on."""

import shutil

import pytest

from samssl_cli.artifacts.members import find_damage
from samssl_cli.artifacts.store import find_all_damage

FREE_KB = (0, 8, 28, 100, 508)


def members(part):
    """What has a name of a member in a draft, or of a saved state."""
    states = part.with_name(part.name.replace(".part", ".progress"))
    found = [*part.glob("**/zarr.json"), *states.glob("step-*/zarr.json")]
    return [path.parent for path in found if b"samssl_member" in path.read_bytes()]


SLOW = ("prompt", "sam-label", "retrain", "evaluate")
STAGES = [
    "preprocess",
    "train-ssl",
    *(pytest.param(stage, marks=pytest.mark.slow) for stage in SLOW),
]


@pytest.mark.parametrize("stage", STAGES)
def test_row_04_chunk_checkpoint_manifest(
    stage, samssl, loop, command, output_of, small_disk, hashes
):
    """With a little more room at every attempt, the disk is full at another file each time."""
    name = f"{output_of[stage]}.zarr"
    output, failures = small_disk.path / name, 0
    for free_kb in FREE_KB:
        small_disk.leave_free(free_kb * 1024)
        done = samssl(*command(stage, loop.out, output))
        if done.code == 0:
            break
        failures += 1
        assert done.code == 1, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert "No space left on device" in done.stderr
        assert "MB free" in done.stderr
        assert str(small_disk.path) in done.stderr
        assert not output.exists() or find_all_damage(output) == []
        part = output.with_name(name + ".part")
        assert [line for path in members(part) for line in find_damage(path)] == []
    assert failures >= 2
    small_disk.ballast.unlink()
    assert samssl(*command(stage, loop.out, output)).code == 0
    assert hashes(output) == hashes(loop.out / name)
    kept = {name, "scores.csv", "scores.json", f".{name}.lock"}
    assert {path.name for path in small_disk.path.iterdir()} <= kept


def test_row_04_the_artifact_that_is_replaced_stays(samssl, loop, command, small_disk, hashes):
    output = small_disk.path / "prompts.zarr"
    shutil.copytree(loop.path("prompts"), output)
    small_disk.leave_free(8192)
    arguments = command("prompt", loop.out, output, "--seed", 5, "--force")
    assert samssl(*arguments).code == 1
    assert hashes(output) == hashes(loop.path("prompts"))


def test_row_04_predictions(samssl, loop, phantom, small_disk, tmp_path, hashes):
    """Each label map is there whole, or not at all."""

    def predict(out):
        options = ("--recipe", loop.recipe_path, "--device", "cpu", "--probabilities")
        return samssl("predict", loop.path("student"), phantom / "imagesTs", "-o", out, *options)

    out = small_disk.path / "predictions"
    assert predict(tmp_path / "whole").code == 0
    whole = hashes(tmp_path / "whole")
    for free_kb in (0, 8, 60):
        small_disk.leave_free(free_kb * 1024)
        done = predict(out)
        assert (done.code, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr
        assert "No space left on device" in done.stderr
        assert "MB free" in done.stderr
        if out.exists():
            assert {path.name for path in out.iterdir()} <= whole.keys()
    small_disk.ballast.unlink()
    assert predict(out).code == 0
    assert hashes(out) == whole


def test_row_04_a_log_that_cannot_be_written_stops_nothing(samssl, loop, command, tmp_path, hashes):
    output = tmp_path / "prompts.zarr"
    full = {"stderr": "/dev/full"}
    done = samssl(*command("prompt", loop.out, output), streams=full)
    assert (done.code, done.stdout) == (0, f"{output}\n")
    assert hashes(output) == hashes(loop.path("prompts"))
    wrong = samssl(*command("prompt", loop.out, output, "--seed", 5), streams=full)
    assert wrong.code == 1  # and not another code, because the reason cannot be told


def test_row_04_a_result_that_cannot_be_printed_is_no_success(samssl, loop, command, tmp_path):
    arguments = command("prompt", loop.out, tmp_path / "prompts.zarr")
    done = samssl(*arguments, streams={"stdout": "/dev/full"})
    assert done.code == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_row_04_curves_that_cannot_be_logged(samssl, loop, command, tmp_path, small_disk, hashes):
    pytest.importorskip("tensorboard")
    output = tmp_path / "specialist.zarr"
    small_disk.leave_free(0)
    arguments = command("train-ssl", loop.out, output, "--tensorboard", small_disk.path / "logs")
    done = samssl(*arguments)
    assert done.code == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith(f"samssl: {small_disk.path / 'logs'}: cannot be written")
    assert "MB free" in told
    small_disk.ballast.unlink()
    assert samssl(*arguments).code == 0
    assert hashes(output) == hashes(loop.path("specialist"))
