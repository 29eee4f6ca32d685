"""Row 5. An output that cannot be written is refused before any work, with exit 1."""

import os

import pytest

from samssl_cli.artifacts.members import refuse_if_unwritable
from samssl_cli.errors import ArtifactError

STAGES = ("preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate")


@pytest.mark.parametrize("stage", STAGES)
def test_row_05_a_read_only_disk(stage, samssl, loop, command, output_of, small_disk):
    small_disk.remount("ro")
    output = small_disk.path / "new" / f"{output_of[stage]}.zarr"
    done = samssl(*command(stage, loop.out, output))
    assert (done.code, done.stdout) == (1, "")
    assert f"{output}: cannot be written: {small_disk.path} is read-only" in done.stderr
    assert "Nothing was computed" in done.stderr
    assert "checking" not in done.stderr
    assert list(small_disk.path.iterdir()) == []


def test_row_05_predictions(samssl, loop, phantom, small_disk):
    small_disk.remount("ro")
    options = ("-o", small_disk.path / "out", "--recipe", loop.recipe_path, "--device", "cpu")
    done = samssl("predict", loop.path("student"), phantom / "imagesTs", *options)
    assert (done.code, done.stdout) == (1, "")
    assert "Read-only file system" in done.stderr
    assert "predicting" not in done.stderr
    assert "Traceback" not in done.stderr


def test_row_05_what_is_up_to_date_may_lie_on_a_read_only_disk(samssl, loop, command, small_disk):
    output = small_disk.path / "prompts.zarr"
    assert samssl(*command("prompt", loop.out, output)).code == 0
    small_disk.remount("ro")
    done = samssl(*command("prompt", loop.out, output))
    assert done.code == 0
    assert "up to date" in done.stderr


def _code_as_nobody(output):
    """What a process without rights makes of an output: 7 for a refusal, 0 for none."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            refuse_if_unwritable(output)
            code = 0
        except ArtifactError:
            code = 7
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(("mode", "code"), [(0o555, 7), (0o777, 0)], ids=["closed", "open"])
def test_row_05_a_folder_of_somebody_else(tmp_path, mode, code):
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(mode)
    assert _code_as_nobody(folder / "deep/x.zarr") == code
    assert list(folder.iterdir()) == []


def test_row_05_a_file_where_a_folder_would_go(tmp_path):
    (tmp_path / "file").write_text("thesis")
    with pytest.raises(ArtifactError, match=r"file is no folder"):
        refuse_if_unwritable(tmp_path / "file/x.zarr")
