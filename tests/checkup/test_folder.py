"""Folders that are fine, missing, read-only, full or odd; all of them are left as they were."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from samssl_cli.checkup import folder as checks
from samssl_cli.checkup.finding import Finding
from samssl_cli.checkup.folder import check_folders, nearest

NAMES = ["folder", "space", "writable", "locks", "renaming", "syncing", "clock", "letters"]


@pytest.fixture(autouse=True)
def _lock_at_once(monkeypatch):
    monkeypatch.setattr(checks, "try_lock", lambda _folder, name: Finding(name, "ok", "fine"))
    monkeypatch.setattr(checks, "file_system", lambda _path: "ext4")


def test_a_good_folder_is_left_as_it_was(named, tmp_path):
    found = named(check_folders([tmp_path]))
    assert [*found] == NAMES
    assert {one.severity for one in found.values()} == {"ok"}
    assert found["folder"].facts == {
        "path": str(tmp_path),
        "exists": True,
        "file_system": "ext4",
    }
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_will_be_made(named, tmp_path):
    found = named(check_folders([tmp_path / "a" / "b"]))
    assert "which will be made" in found["folder"].found
    assert found["writable"].facts["path"] == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(named, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "file/below", "dangling"):
        found = named(check_folders([tmp_path / name]))
        assert found["folder"].severity == "problem"


def test_what_exists_of_a_path(tmp_path):
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(tmp_path) == tmp_path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; see test_doctor.py")
def test_a_folder_that_may_not_be_written(named, tmp_path):
    tmp_path.chmod(0o555)
    assert named(check_folders([tmp_path]))["writable"].severity == "problem"


def test_a_folder_that_cannot_be_written(named):
    found = named(check_folders([Path("/proc/self")]))
    assert found["writable"].severity == "problem"
    assert "locks" not in found


@pytest.mark.parametrize(
    ("free", "files", "severity"),
    [(1e8, None, "problem"), (1e9, None, "note"), (9e9, None, "ok"), (9e9, 500, "note")],
)
def test_room(named, tmp_path, monkeypatch, free, files, severity):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr(checks, "_free_files", lambda _: files)
    found = named(check_folders([tmp_path]))["space"]
    assert found.severity == severity


@pytest.mark.parametrize(
    ("kind", "severity"), [("nfs4", "note"), ("tmpfs", "note"), ("xfs", "ok"), ("", "ok")]
)
def test_kinds_of_file_systems(named, tmp_path, monkeypatch, kind, severity):
    monkeypatch.setattr(checks, "file_system", lambda _: kind)
    assert named(check_folders([tmp_path]))["folder"].severity == severity


@pytest.mark.parametrize(
    ("name", "target"), [("renaming", "rename"), ("renaming", "replace"), ("syncing", "fsync")]
)
def test_what_the_file_system_refuses(named, tmp_path, monkeypatch, name, target):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os if target == "fsync" else Path, target, refuse)
    found = named(check_folders([tmp_path]))
    assert found[name].severity == "problem"
    assert "Operation not supported" in found[name].found
    assert list(tmp_path.iterdir()) == []


def test_a_file_server_with_another_clock(named, tmp_path, monkeypatch):
    now = checks.time.time()
    monkeypatch.setattr(checks.time, "time", lambda: now - 300)
    found = named(check_folders([tmp_path]))["clock"]
    assert found.severity == "note"
    assert "+300 s" in found.found


def test_names_that_are_one(named, tmp_path, monkeypatch):
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "CASE" or exists(path))
    assert named(check_folders([tmp_path]))["letters"].severity == "note"
