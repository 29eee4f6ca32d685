import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from samssl_cli.checkup import packages
from samssl_cli.checkup.packages import check_packages, check_requirements

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]


def test_every_dependency_of_the_project_is_looked_at(named, monkeypatch):
    monkeypatch.setattr(packages, "_version", lambda _name: None)  # nothing is imported then
    asked = list(PROJECT["dependencies"])
    for extra, lines in PROJECT["optional-dependencies"].items():
        asked += [f"{line.partition(';')[0]}; extra == '{extra}'" for line in lines]
    found = named(check_requirements(asked))
    names = {line.lower() for line in found}
    assert names >= {"torch", "torchvision", "monai", "zarr", "nibabel", "numpy", "simpleitk"}
    assert names >= {"pydantic", "typer", "rich", "segment-anything"}
    assert "ruff" not in names  # what developers need is no business of a user's
    optional = {name for name, one in found.items() if one.severity == "note"}
    assert optional == {"h5py", "transformers", "tensorboard"}
    assert all(one.severity == "problem" for name, one in found.items() if name not in optional)


@pytest.mark.parametrize(
    ("line", "severity", "told", "cure"),
    [
        ("filelock>=3", "ok", "", ""),
        ("filelock>=999", "problem", "samssl needs >=999", "pip install 'filelock>=999'"),
        ("no-such-package>=2", "problem", "is not installed", "'no-such-package>=2'"),
        ("no-such-package; extra == 'h5'", "note", "(optional: h5)", "if you need the extra h5"),
        ("filelock; extra == 'h5'", "ok", "(optional: h5)", ""),
        ("filelock>999; extra == 'h5'", "note", "the extra h5 needs >999", "pip install"),
        ("no-such-package; extra == 'dev'", None, "", ""),
        ("no-such-package; python_version < '3'", None, "", ""),
    ],
)
def test_one_requirement(named, line, severity, told, cure):
    found = list(named(check_requirements([line])).values())
    assert [one.severity for one in found] == ([severity] if severity else [])
    for one in found:
        assert told in one.found
        assert cure in one.cure


def test_a_package_that_cannot_be_imported(named, tmp_path, monkeypatch):
    (tmp_path / "brittle.py").write_text("raise OSError('libbrittle.so.1: cannot open')")
    (tmp_path / "brittle-1.0.dist-info").mkdir()
    (tmp_path / "brittle-1.0.dist-info" / "METADATA").write_text("Name: brittle\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = named(check_requirements(["brittle"]))["brittle"]
    assert found.severity == "problem"
    assert "1.0, but it cannot be imported: OSError: libbrittle.so.1" in found.found
    assert found.cure == "pip install --force-reinstall 'brittle==1.0'"


def test_sources_that_are_not_installed(named, monkeypatch):
    def none(_name):
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "requires", none)
    found = named(check_packages())["requirements"]
    assert found.severity == "problem"
    assert "pip install ." in found.cure
