import pytest

from samssl_cli.checkup import mounts
from samssl_cli.checkup.mounts import file_system

LINES = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:25 / {root}/home rw,relatime shared:1 master:2 - nfs4 server:/home rw
31 27 0:26 / {root}/home\\040two rw - xfs /dev/b rw
32 30 0:27 / {root}/home/hidden rw - ext2 /dev/c rw
33 30 0:28 / {root}/home/hidden rw - tmpfs tmpfs rw
not a mount at all
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "ext4"),
        ("home", "nfs4"),
        ("home/deeper", "nfs4"),
        ("homes", "ext4"),
        ("home two/x", "xfs"),
        ("home/hidden", "tmpfs"),
    ],
)
def test_the_deepest_mount_counts(tmp_path, monkeypatch, path, kind):
    told = tmp_path / "mountinfo"
    told.write_text(LINES.format(root=tmp_path))
    monkeypatch.setattr(mounts, "MOUNTS", told)
    assert file_system(tmp_path / path) == kind


def test_nobody_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "none")
    assert file_system(tmp_path) == ""
