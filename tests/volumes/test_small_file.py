import os

import pytest

from samssl_cli.volumes.small_file import read_small_file


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"12345")
    assert read_small_file(path, max_bytes=5) == b"12345"
    with pytest.raises(OSError, match=r"is larger than 4e-06 MB"):
        read_small_file(path, max_bytes=4)


def test_what_is_not_there_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_small_file(tmp_path / "a.json", max_bytes=5)


@pytest.mark.parametrize("what", ["pipe", "device", "folder"])
def test_what_is_no_file_is_never_opened(tmp_path, what):
    path = tmp_path / "a.json"
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if what == "device" else tmp_path)
    with pytest.raises(OSError, match="is no file"):
        read_small_file(path, max_bytes=5)
