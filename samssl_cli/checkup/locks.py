"""Whether a lock in a folder keeps a second process out, by trying it.

samssl holds a lock beside every artifact that it writes. On some network file systems locks are
missing, switched off, or kept by each machine for itself; two runs on one artifact would then write
into each other.
"""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from samssl_cli.checkup.finding import Finding, one_line

_REFUSED, _GOT = 75, 0
_PATIENCE_S = 20.0
_TRY = f"""
import sys, warnings
sys.path[:] = {{path!r}}
from filelock import FileLock, Timeout
warnings.simplefilter("ignore")
try:
    FileLock(sys.argv[1]).acquire(timeout=0)
except Timeout:
    sys.exit({_REFUSED})
"""
_CURE = "write artifacts to another disk, or never start two runs on one artifact"


def try_lock(folder: Path, name: str) -> Finding:
    """Hold a lock in a folder and let a second process ask for it, then release it and ask again.

    Args:
        folder: may be written; a file `name.lock` stays in it.
        name: of the finding.
    """
    path = folder / f"{name}.lock"
    try:
        is_soft, while_held, when_free = _tried(path)
    except Exception as error:
        return Finding(name, "problem", f"do not work: {one_line(error)}", _CURE)
    facts = {"while_held": while_held, "when_free": when_free, "is_native": not is_soft}
    if while_held != "refused":
        told = "do not keep a second process out"
        return Finding(name, "problem", told, _CURE, facts)
    if when_free != "got it":
        told = "stay when they are released: a second run would be refused for ever"
        return Finding(name, "problem", told, _CURE, facts)
    if is_soft:
        told = "work by a file alone, which a killed run leaves behind"
        cure = "after a kill, remove .NAME.zarr.lock once no run is left"
        return Finding(name, "note", told, cure, facts)
    return Finding(name, "ok", "keep a second process out", facts=facts)


def _tried(path: Path) -> tuple[bool, str, str]:
    from filelock import FileLock, SoftFileLock

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a lock is soft is told below
        lock: Any = FileLock(path)
        with lock.acquire(timeout=0):
            is_soft, while_held = isinstance(lock, SoftFileLock), ask(path)
        return is_soft, while_held, ask(path)


def ask(path: Path) -> str:
    """Ask for a lock in a second process: "got it", "refused", or how that process ended."""
    command = [sys.executable, "-P", "-c", _TRY.format(path=sys.path), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return "no answer"
    return {_GOT: "got it", _REFUSED: "refused"}.get(done.returncode, f"ended {done.returncode}")
