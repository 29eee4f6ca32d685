"""Locks that work, and the ways in which they do not, stood in for."""

from pathlib import Path

import filelock
import pytest

from samssl_cli.checkup import locks
from samssl_cli.checkup.locks import ask, try_lock


def test_a_second_process_is_refused_and_gets_it_later(tmp_path):
    found = try_lock(tmp_path, "locks")
    assert found.severity == "ok"
    assert found.facts == {"while_held": "refused", "when_free": "got it", "is_native": True}


def test_the_second_process_really_asks(tmp_path):
    path = tmp_path / "a.lock"
    with filelock.FileLock(path):
        assert ask(path) == "refused"
    assert ask(path) == "got it"
    assert ask(Path("/proc/nowhere/a.lock")).startswith("ended")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["got it", "got it"], "do not keep a second process out"),
        (["no answer", "got it"], "do not keep a second process out"),
        (["refused", "refused"], "stay when they are released"),
    ],
)
def test_locks_that_do_not_work(tmp_path, monkeypatch, answers, told):
    given = iter(answers)
    monkeypatch.setattr(locks, "ask", lambda _path: next(given))
    found = try_lock(tmp_path, "locks")
    assert found.severity == "problem"
    assert told in found.found
    assert "never start two runs" in found.cure


def test_locks_that_are_missing(tmp_path, monkeypatch):
    def missing(*_args, **_options):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(filelock, "FileLock", missing)
    found = try_lock(tmp_path, "locks")
    assert found.severity == "problem"
    assert "Function not implemented" in found.found


def test_locks_that_are_only_files(tmp_path, monkeypatch):
    monkeypatch.setattr(filelock, "FileLock", filelock.SoftFileLock)
    given = iter(["refused", "got it"])
    monkeypatch.setattr(locks, "ask", lambda _path: next(given))
    found = try_lock(tmp_path, "locks")
    assert found.severity == "note"
    assert "a killed run leaves behind" in found.found
