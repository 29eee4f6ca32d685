"""The packages that samssl needs, and those that it can use."""

import importlib
import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.checkup.finding import Finding, one_line

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_DEVELOPMENT = "dev"
_OTHERS_IMPORT = ("torch", "torchvision", "segment-anything")  # their own checks do
_MODULES = {"segment-anything": "segment_anything", "simpleitk": "SimpleITK"}


def check_packages(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Compare what is installed with what is asked for, and import it."""
    try:
        asked = importlib.metadata.requires("samssl") or []
    except importlib.metadata.PackageNotFoundError:
        cure = "pip install . in the folder of samssl's sources"
        told = "samssl runs from a folder without being installed: what it needs is not known"
        yield Finding("requirements", "problem", told, cure)
        return
    yield from check_requirements(asked)


def check_requirements(asked: Sequence[str]) -> Iterator[Finding]:
    """The same for any list of requirements, as `importlib.metadata.requires` gives them."""
    from packaging.requirements import Requirement

    requirements = [Requirement(line) for line in asked]
    for requirement in requirements:
        if _applies(requirement, ""):
            yield _needed(requirement)
    for requirement in requirements:
        extra = _extra(requirement)
        if extra and extra != _DEVELOPMENT:
            yield _optional(requirement, extra)


def _needed(requirement: "Requirement") -> Finding:
    name, version = requirement.name, _version(requirement.name)
    cure, facts = f"pip install '{_plain(requirement)}'", {"version": version}
    if version is None:
        return Finding(name, "problem", "is not installed", cure, facts)
    if not requirement.specifier.contains(version, prereleases=True):
        told = f"{version}; samssl needs {requirement.specifier}"
        return Finding(name, "problem", told, cure, facts)
    return _imported(name, version)


def _optional(requirement: "Requirement", extra: str) -> Finding:
    name, version = requirement.name, _version(requirement.name)
    facts = {"version": version, "extra": extra}
    cure = f"pip install '{_plain(requirement)}', if you need the extra {extra}"
    if version is None:
        return Finding(name, "note", f"is not installed (optional: {extra})", cure, facts)
    if not requirement.specifier.contains(version, prereleases=True):
        told = f"{version}; the extra {extra} needs {requirement.specifier}"
        return Finding(name, "note", told, cure, facts)
    return Finding(name, "ok", f"{version} (optional: {extra})", facts=facts)


def _imported(name: str, version: str) -> Finding:
    facts = {"version": version}
    if name not in _OTHERS_IMPORT:
        try:
            importlib.import_module(_MODULES.get(name.lower(), name.replace("-", "_")))
        except Exception as error:
            cure = f"pip install --force-reinstall '{name}=={version}'"
            told = f"{version}, but it cannot be imported: {one_line(error)}"
            return Finding(name, "problem", told, cure, facts)
    return Finding(name, "ok", version, facts=facts)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _applies(requirement: "Requirement", extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _extra(requirement: "Requirement") -> str:
    """The extra that alone asks for a requirement; empty for one that is always needed."""
    named = re.search(r'extra == "([^"]+)"', str(requirement.marker or ""))
    return named[1] if named and _applies(requirement, named[1]) else ""


def _plain(requirement: "Requirement") -> str:
    return f"{requirement.name}{requirement.specifier}"
