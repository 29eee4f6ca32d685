"""Cores of the machine, cores for this process, and threads."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from samssl_cli.checkup.cgroup import cpu_quota
from samssl_cli.checkup.finding import Finding

_THREADS = "OMP_NUM_THREADS"


def check_processor(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Compare the cores that are there with those that this process may use."""
    allowed, quota = _allowed(), cpu_quota()
    yield _cores(allowed, quota)
    yield _threads(allowed, quota)


def _cores(allowed: int, quota: float | None) -> Finding:
    facts = {"machine": os.cpu_count(), "allowed": allowed, "cgroup_quota": quota}
    told = f"{allowed} of {facts['machine']} for this process"
    if quota is not None:
        told += f", and the time of {quota:g} of them (cgroup)"
    return Finding("cores", "ok", told, facts=facts)


def _threads(allowed: int, quota: float | None) -> Finding:
    """Too many threads for the time that a process gets make it slower, not faster."""
    said = os.environ.get(_THREADS)
    facts = {_THREADS: said}
    if said is None:
        if quota is not None and quota < allowed:
            told = f"samssl starts {allowed} on a CPU, for the time of {quota:g} cores"
            return Finding("threads", "note", told, f"export {_THREADS}={_whole(quota)}", facts)
        told = f"samssl takes {allowed} on a CPU, one per core"
        return Finding("threads", "ok", told, facts=facts)
    if not said.isdecimal() or int(said) == 0:
        told = f"{_THREADS}={said} is no number of threads"
        return Finding("threads", "note", told, f"export {_THREADS}={allowed}", facts)
    if int(said) > allowed:
        told = f"{_THREADS}={said} is more than the cores for this process: {allowed}"
        return Finding("threads", "note", told, f"export {_THREADS}={allowed}", facts)
    return Finding("threads", "ok", f"{said}, as {_THREADS} says", facts=facts)


def _whole(quota: float) -> int:
    return max(1, int(quota))


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
