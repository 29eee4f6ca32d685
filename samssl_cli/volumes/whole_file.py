"""Files that appear under their names only when they are whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samssl_cli.errors import ArtifactError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside and move it into place; one that holds this already is left alone.

    Raises:
        ArtifactError: when the disk is full, or cannot be written for another reason.
    """
    with writing(path):
        if _holds(path, content):
            return
        with unfinished(path) as aside:
            aside.write_bytes(content)
            aside.replace(path)


def _holds(path: Path, content: bytes) -> bool:
    """Whether the file is there; what is no file, or of another size, is never read."""
    if not path.is_file() or path.stat().st_size != len(content):
        return False
    return path.read_bytes() == content


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` for what is being written; nothing is left there in the end.

    What a killed process left under such a name is removed first.
    """
    for left in path.parent.glob(".*"):
        pid, _, name = left.name[1:].partition(".")
        if name == path.name and pid.isdecimal() and not _is_running(int(pid)):
            left.unlink(missing_ok=True)
    aside = path.with_name(f".{os.getpid()}.{path.name}")  # the suffix of a volume decides on gzip
    try:
        yield aside
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say what could not be written, and why, when the disk refuses.

    Raises:
        ArtifactError: with the path, the reason and what is free.
    """
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be written: {error} ({free_space(path)}); what is done is kept: "
            "make room, or correct the permissions, and run the same command again"
        ) from error


def refuse_link(folder: Path) -> None:
    """Raise an `ArtifactError` where what is written into a folder would lie elsewhere."""
    if folder.is_symlink():
        raise ArtifactError(
            f"{folder}: is a link, and nothing is written through one; put what it leads to in its "
            "place, or remove it"
        )


def free_space(path: Path) -> str:
    """How much room is left where a path would go, for a message."""
    there = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    return f"{shutil.disk_usage(there).free / 1e6:.1f} MB free on its disk"


def _is_running(pid: int) -> bool:
    """Whether there is such a process here, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
