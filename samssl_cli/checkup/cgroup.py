"""What Linux lets this process have: the limits of a container or a batch job.

Both generations are read: of version 2 the files `cpu.max` and `memory.max`, of version 1
`cpu.cfs_quota_us` and `memory.limit_in_bytes`. The strictest limit from the group of this process
up to the root counts. In a container the path that the kernel tells may not exist, as the
container sees its own group as the root; what exists of it is looked at.
"""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
SELF = Path("/proc/self/cgroup")

_NO_LIMIT = 2**60  # version 1 says "no limit" as a number near 2^63


def cpu_quota() -> float | None:
    """How many cores' time this process gets; None when nothing limits it, or nobody knows."""
    found = [quota for folder in _groups("cpu") if (quota := _quota(folder)) is not None]
    return min(found, default=None)


def memory_limit() -> int | None:
    """The bytes that this process and its group may use; None without a limit."""
    names = ("memory.max", "memory.limit_in_bytes")
    found = [_number(folder / name) for folder in _groups("memory") for name in names]
    return min((limit for limit in found if limit is not None and limit < _NO_LIMIT), default=None)


def _quota(folder: Path) -> float | None:
    words = _words(folder / "cpu.max")
    if not words:
        words = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
    if len(words) != 2 or not all(word.isdecimal() for word in words):  # "max", or -1
        return None
    quota, period = map(int, words)
    return quota / period if period else None


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the group of this process for one controller, and those above it."""
    for line in _lines(SELF):
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0":
            yield from _upwards(ROOT, path)
            yield from _upwards(ROOT / "unified", path)
        elif controller in names.split(","):
            yield from _upwards(ROOT / controller, path)
            yield from _upwards(ROOT / names, path)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    parts = Path(path.lstrip("/")).parts
    for length in range(len(parts), -1, -1):
        folder = root.joinpath(*parts[:length])
        if ".." not in parts and folder.is_dir():
            yield folder


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].isdecimal() else None


def _words(path: Path) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
