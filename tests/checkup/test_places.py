import shutil
import tempfile
from types import SimpleNamespace

import pytest

from samssl_cli.checkup.places import check_places


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("SAMSSL_EMBEDDINGS", raising=False)
    return tmp_path


def test_temporary_files_have_room(named, place):
    found = named(check_places())
    assert [*found] == ["temporary-files"]
    assert found["temporary-files"].severity == "ok"
    assert list(place.iterdir()) == []


def test_a_full_disk(named, place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    found = named(check_places())["temporary-files"]
    assert (found.severity, "TMPDIR" in found.cure) == ("note", True)


def test_no_folder_for_temporary_files(named, monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert named(check_places())["temporary-files"].severity == "problem"


@pytest.mark.parametrize(
    ("named_place", "severity"), [("new/cache", "ok"), ("/proc/cache", "problem")]
)
def test_embeddings(named, place, monkeypatch, named_place, severity):
    monkeypatch.setenv("SAMSSL_EMBEDDINGS", str(place / named_place))
    assert named(check_places())["embeddings"].severity == severity
    assert list(place.iterdir()) == []
