"""`samssl doctor`: what it prints where, on good and on bad folders."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from samssl_cli.checkup import CHECKS
from samssl_cli.cli import app
from samssl_cli.cli import doctor as command
from samssl_cli.stages.doctor import SCHEMA

PAGE = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")


@pytest.fixture
def only(monkeypatch):
    """Leave these groups in the table: importing everything takes seconds."""

    def keep(*names):
        for name in {*CHECKS} - {*names}:
            monkeypatch.delitem(CHECKS, name)

    return keep


def doctor(*arguments):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


def test_one_json_document(only, tmp_path):
    only("processor", "folder")
    done = doctor(tmp_path, tmp_path / "new", "--json")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report["schema"] == SCHEMA
    assert report["is_healthy"] is True
    assert report["folders"] == [str(tmp_path), str(tmp_path / "new")]
    assert {found["group"] for found in report["findings"]} == {"processor", "folder"}
    assert list(tmp_path.iterdir()) == []
    for key in {*report, *report["findings"][0]}:
        assert f"`{key}`" in PAGE, key


def test_the_page_names_every_group():
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)) >= {*CHECKS}


def test_lines_for_a_log_about_the_current_folder(only, tmp_path, monkeypatch):
    only("folder")
    monkeypatch.chdir(tmp_path)
    done = doctor()
    assert done.exit_code == 0
    assert f"ok       folder/writable: {tmp_path}\n" in done.stdout
    assert "ok       folder/locks: keep a second process out\n" in done.stdout
    assert re.search(r"\n0 problems, \d notes?, \d+ as they should be\n$", done.stdout)
    assert "\x1b" not in done.stdout


def test_a_table_for_a_terminal(only, monkeypatch, capsys):
    only("folder")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(command, "_line", None)
    with pytest.raises(command.typer.Exit):
        command.doctor([Path("/proc/self")])
    shown = capsys.readouterr().out
    assert re.search(r"problem +folder/writable +\S+ cannot be written", shown)
    assert "-> write elsewhere" in shown
    assert "2 problems, " in shown  # /proc has no room either


def test_a_problem_ends_with_1_and_its_cure(only):
    only("folder")
    done = doctor("/proc/self")
    assert done.exit_code == 1
    assert "problem  folder/writable: " in done.stdout
    assert "\n         do: write elsewhere" in done.stdout
    assert "Traceback" not in done.output


@pytest.fixture
def read_only(tmp_path):
    """A file system that is mounted read-only."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_read_only_file_system(only, read_only):
    only("folder")
    done = doctor(read_only, "--json")
    assert done.exit_code == 1
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert "Read-only file system" in found["writable"]["found"]
    assert found["folder"]["facts"]["file_system"] == "tmpfs"
    assert "locks" not in found
    assert "check" not in found


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from samssl_cli.checkup.folder import check_folders
from samssl_cli.checkup.finding import Finding
os.setgroups([]), os.setgid(65534), os.setuid(65534)
found = {one.name: one for one in check_folders([Path(sys.argv[1])])}
assert found["writable"].severity == "problem", found
assert "Permission denied" in found["writable"].found, found
assert "locks" not in found, found
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else(tmp_path):
    subprocess.run([sys.executable, "-c", UNPRIVILEGED, str(tmp_path)], check=True)


@pytest.mark.slow
def test_all_of_it(samssl, tmp_path):
    finished = samssl("doctor", "--json", cwd=tmp_path)
    report = json.loads(finished.stdout)
    assert {found["group"] for found in report["findings"]} == {*CHECKS}
    assert not any(found["name"] == "check" for found in report["findings"])
    assert finished.code == int(not report["is_healthy"])
    assert list(tmp_path.iterdir()) == []
