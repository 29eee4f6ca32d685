import sys

import pytest

from samssl_cli import __version__
from samssl_cli.checkup import python
from samssl_cli.checkup.python import check_python


def test_this_one_is_fine(named):
    found = named(check_python())
    assert found["samssl"].facts["version"] == __version__
    assert found["python"].severity == "ok"
    assert found["python"].facts["executable"] == sys.executable


def test_a_python_that_samssl_was_not_made_for(named, monkeypatch):
    monkeypatch.setattr(python, "_wanted", lambda: ">=3.99")
    found = named(check_python())["python"]
    assert found.severity == "problem"
    assert "needs >=3.99" in found.found


def test_a_python_of_32_bits(named, monkeypatch):
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    assert named(check_python())["python"].severity == "problem"


def test_samssl_that_is_not_installed_asks_for_no_python(monkeypatch):
    monkeypatch.setattr(python, "_NAME", "no-such-package")
    assert python._wanted() == ""


@pytest.mark.parametrize(("encoding", "severity"), [("utf-8", "ok"), ("ascii", "note")])
def test_file_names(named, monkeypatch, encoding, severity):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    assert named(check_python())["file-names"].severity == severity
