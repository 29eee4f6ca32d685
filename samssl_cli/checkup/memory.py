"""Memory, its limit, and the shared memory that worker processes need."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

from samssl_cli.checkup.cgroup import memory_limit
from samssl_cli.checkup.finding import Finding, gb, one_line

SHARED = Path("/dev/shm")

_LITTLE = 4_000_000_000  # a training of the recipe quick takes about 2 GB


def check_memory(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Say how much memory this process may use, and whether worker processes can start."""
    yield _memory()
    yield _shared()


def _memory() -> Finding:
    total, free = _installed(), _available()
    limits = {"cgroup": memory_limit(), "address_space": _address_space()}
    facts = {"total_bytes": total, "available_bytes": free, "limits_bytes": limits}
    usable = min((limit for limit in (total, *limits.values()) if limit is not None), default=None)
    if usable is None:
        return Finding("memory", "note", "nobody tells how much there is", facts=facts)
    told = f"{gb(usable)} for this process"
    told += "" if free is None else f", {gb(free)} free on the machine"
    if min(usable, usable if free is None else free) < _LITTLE:
        cure = "use --set train_ssl.patch_size=[64,64,32], --workers 1, or a machine with more"
        return Finding("memory", "note", told, cure, facts)
    return Finding("memory", "ok", told, facts=facts)


def _shared() -> Finding:
    """Worker processes need semaphores, which Linux keeps in /dev/shm; they need no room there."""
    size = shutil.disk_usage(SHARED).total if SHARED.is_dir() else None
    facts = {"total_bytes": size}
    try:
        with get_context("spawn").Lock():
            pass
    except OSError as error:
        told = f"worker processes cannot start ({one_line(error)})"
        cure = f"let {SHARED} be writable, or run preprocess with --workers 1"
        return Finding("shared-memory", "problem", told, cure, facts)
    told = "worker processes can start" + ("" if size is None else f"; {gb(size)} at {SHARED}")
    return Finding("shared-memory", "ok", told, facts=facts)


def _installed() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _available() -> int | None:
    """What Linux could give now without swapping; None elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    kib = next(found, None)
    return None if kib is None else int(kib) * 1024


def _address_space() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit
