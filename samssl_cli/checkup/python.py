"""The interpreter, and samssl itself."""

import importlib.metadata
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from samssl_cli import __version__
from samssl_cli.checkup.finding import Finding

_NAME = "samssl"
_BITS_32 = 2**32


def check_python(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Say which Python runs which samssl, and whether the one fits the other."""
    yield _samssl()
    yield _interpreter()
    yield _encoding()


def _samssl() -> Finding:
    place = str(Path(__file__).parents[1])
    facts = {"version": __version__, "path": place}
    return Finding("samssl", "ok", f"{__version__} in {place}", facts=facts)


def _interpreter() -> Finding:
    version = platform.python_version()
    is_venv = sys.prefix != sys.base_prefix
    facts = {
        "version": version,
        "executable": sys.executable,
        "is_virtual_environment": is_venv,
        "platform": platform.platform(),
    }
    told = f"{version}, {sys.executable}, {platform.platform()}"
    if sys.maxsize < _BITS_32:
        cure = "install a 64-bit Python: PyTorch has no other"
        return Finding("python", "problem", f"{told}, 32 bits", cure, facts)
    wanted = _wanted()
    if wanted and not _fits(version, wanted):
        cure = f"make a virtual environment with another Python ({wanted}) and install samssl there"
        return Finding("python", "problem", f"{told}; samssl needs {wanted}", cure, facts)
    return Finding("python", "ok", told, facts=facts)


def _encoding() -> Finding:
    encoding = sys.getfilesystemencoding()
    facts = {"encoding": encoding}
    if encoding.lower().replace("-", "") == "utf8":
        return Finding("file-names", "ok", f"are {encoding}", facts=facts)
    cure = "export LC_ALL=C.UTF-8, or export PYTHONUTF8=1"
    return Finding("file-names", "note", f"are {encoding}, not UTF-8", cure, facts)


def _wanted() -> str:
    """The versions of Python that the package asks for; empty when it is not installed."""
    try:
        return importlib.metadata.metadata(_NAME)["Requires-Python"] or ""
    except (importlib.metadata.PackageNotFoundError, KeyError):
        return ""


def _fits(version: str, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(version, prereleases=True)
