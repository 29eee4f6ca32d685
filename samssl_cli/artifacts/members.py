"""Sub-groups of arrays that are written whole, moved into place, and checked when they are read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.arrays import LARGEST_CHUNK, read_array
from samssl_cli.artifacts.forms import check_member, understanding
from samssl_cli.artifacts.manifest import (
    METADATA,
    digest,
    file_digest,
    group_metadata,
    read_attributes,
)
from samssl_cli.errors import ArtifactError, DamagedArtifactError
from samssl_cli.volumes.whole_file import refuse_link, writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_SIDE = 64


@dataclass(frozen=True)
class Member:
    """A case, a network's weights, or another group of arrays, as read."""

    attributes: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def write_member(
    target: Path,
    arrays: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any],
    *,
    staging: Path,
) -> None:
    """Write a group of arrays so that `target` exists if and only if it is whole.

    Args:
        target: where the group belongs; what is there already is replaced.
        arrays: name to array.
        attributes: JSON values without NaN.
        staging: a directory on the same file system, beside the store, for the unfinished group.

    Raises:
        ArtifactError: when the disk is full, cannot be written for another reason, or a folder of
            these is a link, which leads elsewhere.
    """
    refuse_link(target.parent)
    refuse_link(staging)
    # The process id keeps a worker that outlived a killed run away from ours.
    unfinished = staging / f"{target.name}.{os.getpid()}"
    with writing(target):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _write_group(unfinished, arrays, attributes)
        _sync(unfinished)
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.rename(target)
        _sync_directory(target.parent)


def refuse_if_unwritable(output: Path) -> None:
    """Raise an `ArtifactError` when nothing can be written at `output`; leave no file.

    Before any work: a read-only disk, or somebody else's folder, is not found out hours later.
    """
    there = next(parent for parent in output.absolute().parents if parent.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        why = "is read-only, or may not be written by you" if there.is_dir() else "is no folder"
        raise ArtifactError(
            f"{output}: cannot be written: {there} {why}; correct the permissions, or name another "
            "output. Nothing was computed"
        )


def read_member(path: Path, expected_digest: str | None = None) -> Member:
    """Read a group of arrays, checking every byte on the way.

    Raises:
        DamagedArtifactError: naming each file that is missing or not the one that was written.
    """
    problems = find_damage(path, expected_digest)
    if problems:
        raise damaged(path, problems)
    done = _done(path)
    names = sorted({name.split("/")[0] for name in done["files"]})
    arrays = {name: read_array(path, name, done["files"]) for name in names}
    return Member(done["attributes"], arrays)


def damaged(path: Path, problems: Sequence[str]) -> DamagedArtifactError:
    """The error that lists what is damaged, with the cure."""
    cure = "run the stage that made it again with --force; it keeps what is whole"
    return DamagedArtifactError("\n  - ".join([f"{path}: is damaged; {cure}:", *problems]))


def read_member_attributes(path: Path) -> dict[str, Any]:
    """Read the attributes alone, of a member that is known to be whole."""
    attributes: dict[str, Any] = _done(path)["attributes"]
    return attributes


def member_digest(path: Path) -> str:
    """The digest that the manifest keeps of a member: of its metadata, which covers its files."""
    return file_digest(path / METADATA)


def find_damage(path: Path, expected_digest: str | None = None) -> list[str]:
    """Compare a member with what was written; one line for each file that differs.

    Without `expected_digest`, as in a draft, the metadata vouches for itself.
    """
    metadata = path / METADATA
    if not metadata.is_file():
        return [f"{metadata if path.is_dir() else path}: missing"]
    if expected_digest not in (None, member_digest(path)):
        return [f"{metadata}: changed since it was sealed"]
    try:
        done = dict(_done(path))
        is_whole = done.pop("sha256") == digest(done)
        files: dict[str, str] = done["files"]
    except (ArtifactError, ValueError, RecursionError):
        is_whole, files = False, {}
    if not is_whole:
        return [f"{metadata}: changed since it was written"]
    return [line for name, known in files.items() for line in _compare(path / name, known)]


def _compare(path: Path, known: str) -> list[str]:
    if not path.is_file():
        return [f"{path}: missing"]
    return [] if file_digest(path) == known else [f"{path}: changed since it was written"]


def _done(path: Path) -> dict[str, Any]:
    with understanding(path / METADATA):
        done: dict[str, Any] = read_attributes(path)["samssl_member"]
        check_member(done)
        return done


def _write_group(
    directory: Path, arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]
) -> None:
    import zarr

    group = zarr.open_group(directory, mode="w", zarr_format=3)
    for name, array in arrays.items():
        _write_array(group, name, array)
    files = {path.relative_to(directory).as_posix(): path for path in _files(directory)}
    digests = {name: file_digest(path) for name, path in sorted(files.items()) if name != METADATA}
    done = {"attributes": dict(attributes), "files": digests}
    metadata = group_metadata({"samssl_member": {**done, "sha256": digest(done)}})
    (directory / METADATA).write_bytes(metadata)


def _write_array(group: Any, name: str, array: NDArray[Any]) -> None:
    from zarr.codecs import Crc32cCodec, ZstdCodec

    stored = group.create_array(
        name,
        shape=array.shape,
        dtype=array.dtype,
        chunks=_chunks(array),
        compressors=[ZstdCodec(level=3), Crc32cCodec()],
        config={"write_empty_chunks": True},  # a chunk that is missing must never read as zeros
    )
    stored[...] = array


def _chunks(array: NDArray[Any]) -> tuple[int, ...]:
    """One chunk for a small array; blocks of 64 voxels along the sides of a large one."""
    if array.nbytes <= LARGEST_CHUNK or array.ndim < 3:
        return tuple(max(side, 1) for side in array.shape)
    leading = (1,) * (array.ndim - 3)
    return (*leading, *(min(side, _CHUNK_SIDE) for side in array.shape[-3:]))


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file())


def _sync(directory: Path) -> None:
    """Bring files and directory entries to the disk before a rename makes them count."""
    for path in (*directory.rglob("*"), directory):
        _sync_directory(path) if path.is_dir() else _sync_file(path)


def _sync_file(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
