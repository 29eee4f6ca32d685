import os
import subprocess

import pytest

from samssl_cli.errors import ArtifactError
from samssl_cli.volumes.whole_file import unfinished, write_whole


def test_a_file_is_written_and_left_alone_when_it_holds_the_same(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, b"one")
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_whole(path, b"one")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_is_no_file_is_replaced_and_never_read(tmp_path, what):
    path = tmp_path / "a.json"
    os.mkfifo(path) if what == "pipe" else path.symlink_to("/dev/zero")
    write_whole(path, b"one")
    assert path.read_bytes() == b"one"


def test_what_fails_leaves_nothing(tmp_path):
    def fail():
        with unfinished(tmp_path / "a.nii.gz") as aside:
            aside.write_text("half")
            assert aside.name.endswith(".nii.gz")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    stays = {f".{os.getppid()}.a.json", f".{dead.pid}.b.json", ".a.json", ".hidden.a.json"}
    for name in (*stays, f".{dead.pid}.a.json"):
        (tmp_path / name).write_text("half")
    write_whole(tmp_path / "a.json", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", *stays}


def test_a_path_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(ArtifactError, match=r"b/a\.json: cannot be written: .* \([\d.]+ MB free"):
        write_whole(tmp_path / "b/a.json", b"")
