import time

from samssl_cli.registry import Entry
from samssl_cli.stages.doctor import SCHEMA, examine

CHECKS = """
import time
from samssl_cli.checkup.finding import Finding

def good(folders):
    yield Finding("one", "ok", f"{folders[0]} is fine", facts={"size": 1})

def poor(folders):
    yield Finding("two", "note", "slow", "wait")

def slow(folders):
    time.sleep(60)
"""


def of(tmp_path, monkeypatch, *names, **options):
    (tmp_path / "some_checks.py").write_text(CHECKS)
    monkeypatch.syspath_prepend(tmp_path)
    checks = {name: Entry(f"some_checks:{name}", "", "") for name in names}
    return examine([tmp_path], checks=checks, **options)


def test_the_shape_that_programs_read(tmp_path, monkeypatch):
    report = of(tmp_path, monkeypatch, "good", "poor")
    version = report.pop("samssl")
    assert version
    assert report == {
        "schema": SCHEMA,
        "folders": [str(tmp_path)],
        "is_healthy": True,
        "counts": {"ok": 1, "note": 1, "problem": 0},
        "findings": [
            {
                "group": "good",
                "name": "one",
                "severity": "ok",
                "found": f"{tmp_path} is fine",
                "cure": "",
                "facts": {"size": 1},
            },
            {
                "group": "poor",
                "name": "two",
                "severity": "note",
                "found": "slow",
                "cure": "wait",
                "facts": {},
            },
        ],
    }


def test_one_check_that_hangs_keeps_no_other_from_answering(tmp_path, monkeypatch):
    began = time.monotonic()
    report = of(tmp_path, monkeypatch, "slow", "good", patience_s=3.0)
    assert time.monotonic() - began < 20
    assert not report["is_healthy"]
    assert [found["severity"] for found in report["findings"]] == ["problem", "ok"]
