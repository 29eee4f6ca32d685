"""Where artifacts go: writable, room, and what an artifact needs of a file system.

Everything is tried in a folder of its own inside the one that is examined, which is removed again.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from samssl_cli.checkup.finding import Finding, gb, one_line
from samssl_cli.checkup.locks import try_lock
from samssl_cli.checkup.mounts import NETWORK, TEMPORARY, file_system

PROBE = ".samssl-doctor-"

_VERY_LITTLE, _LITTLE = 200_000_000, 5_000_000_000
_FEW_FILES = 10_000  # an artifact has some dozen files per case
_APART_S = 5.0


def check_folders(folders: Sequence[Path]) -> Iterator[Finding]:
    """Examine each folder; for one that does not exist, the one that it would be made in."""
    for folder in folders:
        yield from _check(folder)


def _check(folder: Path) -> Iterator[Finding]:
    existing = nearest(folder)
    if not is_folder(existing):
        told = f"{existing} is no folder"
        yield Finding("folder", "problem", told, "name a folder", {"path": str(folder)})
        return
    yield _where(folder, existing)
    yield _room(existing)
    try:
        probe = Path(tempfile.mkdtemp(prefix=PROBE, dir=existing))
    except OSError as error:
        told = f"{existing} cannot be written ({one_line(error)})"
        cure = "write elsewhere, or ask who owns it; locks and renaming were not tried"
        yield Finding("writable", "problem", told, cure, {"path": str(existing), "is": False})
        return
    try:
        yield Finding("writable", "ok", f"{existing}", facts={"path": str(existing), "is": True})
        yield from _try_all(probe)
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def nearest(folder: Path) -> Path:
    """A path, or what exists of it: a run makes the folders that are missing."""
    folder = folder.absolute()
    return next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder, as far as this process may know."""
    try:
        return path.is_dir()
    except PermissionError:  # of a folder above
        return False


def _where(folder: Path, existing: Path) -> Finding:
    kind = file_system(existing)
    facts = {"path": str(folder), "exists": is_folder(folder), "file_system": kind or None}
    told = f"{folder}" + ("" if is_folder(folder) else ", which will be made")
    told += f", on {kind or 'an unknown file system'}"
    if kind in NETWORK:
        cure = "never start two runs on one artifact from two machines, unless locks reach both"
        return Finding("folder", "note", f"{told}, which machines may share", cure, facts)
    if kind in TEMPORARY:
        cure = "write where it stays: a disk, or a folder that is mounted into the container"
        return Finding("folder", "note", f"{told}, gone with the machine or container", cure, facts)
    return Finding("folder", "ok", told, facts=facts)


def _room(folder: Path) -> Finding:
    free, files = shutil.disk_usage(folder).free, _free_files(folder)
    facts = {"path": str(folder), "free_bytes": free, "free_files": files}
    told, cure = f"{gb(free)} free", "make room, or write to another disk"
    if free < _VERY_LITTLE:
        return Finding("space", "problem", told, cure, facts)
    if files is not None and files < _FEW_FILES:
        told += f", for {files} more files; an artifact has some dozen per case"
        return Finding("space", "note", told, cure, facts)
    return Finding(
        "space", "note" if free < _LITTLE else "ok", told, cure * (free < _LITTLE), facts
    )


def _free_files(folder: Path) -> int | None:
    if not hasattr(os, "statvfs"):
        return None
    known = os.statvfs(folder)
    return known.f_favail if known.f_files else None  # 0 where there is no such limit


def _try_all(probe: Path) -> Iterator[Finding]:
    yield try_lock(probe, "locks")
    yield _tried("renaming", _rename, probe, "files and folders")
    yield _tried("syncing", _sync, probe, "files and folders reach the disk")
    yield _clock(probe)
    yield _letters(probe)


def _tried(name: str, trial: Callable[[Path], None], probe: Path, told: str) -> Finding:
    try:
        trial(probe)
    except Exception as error:
        cure = "write artifacts to another disk: here they cannot be finished safely"
        return Finding(name, "problem", f"does not work: {one_line(error)}", cure)
    return Finding(name, "ok", told)


def _rename(probe: Path) -> None:
    """As an artifact gets its name: a file over another, a folder with something in it."""
    for name in ("one", "two"):
        (probe / name).write_text(name, encoding="utf-8")
    (probe / "one").replace(probe / "two")
    if (probe / "two").read_text(encoding="utf-8") != "one":
        raise OSError("a file that was moved over another is not what it was")
    (probe / "a.zarr.part").mkdir()
    (probe / "two").rename(probe / "a.zarr.part" / "zarr.json")
    os.utime(probe / "a.zarr.part")
    (probe / "a.zarr.part").rename(probe / "a.zarr")
    if not (probe / "a.zarr" / "zarr.json").is_file():
        raise OSError("a folder that was renamed has lost its content")


def _sync(probe: Path) -> None:
    with (probe / "synced").open("wb") as stream:
        stream.write(b"1")
        stream.flush()
        os.fsync(stream.fileno())
    descriptor = os.open(probe, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clock(probe: Path) -> Finding:
    """Make compares the times of files, which a file server may give by a clock of its own."""
    (probe / "clock").write_text("", encoding="utf-8")
    apart_s = (probe / "clock").stat().st_mtime - time.time()
    facts = {"ahead_s": round(apart_s, 3)}
    if abs(apart_s) < _APART_S:
        return Finding("clock", "ok", "the file system has the time of this machine", facts=facts)
    told = f"the file system is {apart_s:+.0f} s from the clock of this machine"
    cure = "set the clocks (NTP): make and Snakemake compare the times of files"
    return Finding("clock", "note", told, cure, facts)


def _letters(probe: Path) -> Finding:
    """Cases whose names differ in case alone would be one."""
    (probe / "case").write_text("", encoding="utf-8")
    facts = {"tells_apart": not (probe / "CASE").exists()}
    if facts["tells_apart"]:
        return Finding("letters", "ok", "a and A are two names", facts=facts)
    cure = "give cases names that differ in more than capital letters"
    return Finding("letters", "note", "a and A are one name", cure, facts)
