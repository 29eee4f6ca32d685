import resource

import pytest

from samssl_cli.checkup import memory
from samssl_cli.checkup.memory import check_memory


def of(monkeypatch, *, total, free=None, limit=None):
    monkeypatch.setattr(memory, "_installed", lambda: total)
    monkeypatch.setattr(memory, "_available", lambda: free)
    monkeypatch.setattr(memory, "memory_limit", lambda: limit)


@pytest.mark.parametrize(
    ("sizes", "severity", "told"),
    [
        ({"total": 64e9, "free": 60e9}, "ok", "64.0 GB for this process, 60.0 GB free"),
        ({"total": 64e9, "free": 60e9, "limit": 8e9}, "ok", "8.0 GB for this process"),
        ({"total": 64e9, "free": 60e9, "limit": 2e9}, "note", "2.0 GB"),
        ({"total": 64e9, "free": 1e9}, "note", "1.0 GB free"),
        ({"total": 64e9}, "ok", "64.0 GB for this process"),
        ({"total": None}, "note", "nobody tells"),
    ],
)
def test_the_strictest_limit_counts(monkeypatch, sizes, severity, told):
    of(monkeypatch, **sizes)
    found = {one.name: one for one in check_memory()}["memory"]
    assert found.severity == severity
    assert told in found.found


def test_this_machine_has_some(named):
    found = named(check_memory())
    assert found["memory"].facts["total_bytes"] > 1e8
    assert found["shared-memory"].severity == "ok"


def test_ulimit_counts(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (3_000_000_000, 3_000_000_000))
    of(monkeypatch, total=64e9, free=60e9)
    found = {one.name: one for one in check_memory()}["memory"]
    assert found.facts["limits_bytes"]["address_space"] == 3_000_000_000
    assert found.severity == "note"


def test_no_semaphores(named, monkeypatch):
    def none(_method):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(memory, "get_context", none)
    found = named(check_memory())["shared-memory"]
    assert found.severity == "problem"
    assert "--workers 1" in found.cure
