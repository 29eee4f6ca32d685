"""A check that raises, exits, crashes, hangs or chatters is a finding, and no more."""

import sys
import time
from pathlib import Path

import pytest

from samssl_cli.checkup import alone
from samssl_cli.checkup.alone import collect, start
from samssl_cli.registry import Entry

BROKEN = """
import os, signal, sys, time
from pathlib import Path
from samssl_cli.checkup.finding import Finding

WELL = Finding("well", "ok", "fine")

def whole(folders):
    print("a library says hello", flush=True)
    yield Finding("folders", "ok", " ".join(map(str, folders)), facts={"number": len(folders)})

def raises(folders):
    yield WELL
    raise ValueError("first line\\nsecond line")

def exits(folders):
    yield WELL
    sys.exit(3)

def crashes(folders):
    yield WELL
    os.kill(os.getpid(), signal.SIGSEGV)

def hangs(folders):
    yield WELL
    try:
        time.sleep(60)
    finally:
        Path(folders[0], "removed").touch()

def deaf(folders):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield WELL
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a function of BROKEN in a process of its own."""
    (tmp_path / "broken_checks.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)

    def answers(name, *, patience_s=20.0):
        process = start(name, Entry(f"broken_checks:{name}", "", ""), [tmp_path])
        return collect(name, process, patience_s=patience_s)

    return answers


def test_findings_come_whole_and_nothing_that_a_library_prints(run, tmp_path):
    (found,) = run("whole")
    assert (found.name, found.severity, found.found) == ("folders", "ok", str(tmp_path))
    assert found.facts == {"number": 1}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("raises", "ValueError: first line"),
        ("exits", "ended with exit status 3, the last answer was 'well'"),
        ("crashes", "was ended by SIGSEGV, the last answer was 'well'"),
        ("missing", "AttributeError"),
    ],
)
def test_a_check_that_fails_is_a_problem_after_what_it_found(run, name, told):
    *before, last = run(name)
    assert [one.name for one in before] == ([] if name == "missing" else ["well"])
    assert last.severity == "problem"
    assert last.found.startswith("the check itself failed: ")
    assert told in last.found
    assert "\n" not in last.found
    assert name in last.cure


def test_a_check_that_hangs_is_asked_to_clean_up(run, tmp_path):
    before, last = run("hangs", patience_s=2.0)
    assert before.name == "well"
    assert "gave no answer within 2 s" in last.found
    assert (tmp_path / "removed").exists()


def test_a_check_that_hears_nothing_is_left_behind(run, monkeypatch):
    monkeypatch.setattr(alone, "_LAST_CHANCE_S", 0.1)
    began = time.monotonic()
    before, last = run("deaf", patience_s=2.0)
    assert before.name == "well"
    assert "gave no answer" in last.found
    assert time.monotonic() - began < 10


def test_no_process_to_be_had(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    process = start("python", Entry("a:b", "", ""), [Path()])
    (found,) = collect("python", process, patience_s=1.0)
    assert found.severity == "problem"
    assert "could not be started" in found.found
