"""Sub-groups of arrays that are written whole, moved into place, and checked when they are read."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.manifest import METADATA, file_digest, group_metadata, read_attributes
from samssl_cli.errors import DamagedArtifactError

_LARGEST_CHUNK = 32 * 2**20  # decoded bytes; up to here one chunk reads faster than several
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
    """
    import zarr

    # The process id keeps a worker that outlived a killed run away from ours.
    unfinished = staging / f"{target.name}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    group = zarr.open_group(unfinished, mode="w", zarr_format=3)
    for name, array in arrays.items():
        _write_array(group, name, array)
    files = {path.relative_to(unfinished).as_posix(): path for path in _files(unfinished)}
    digests = {name: file_digest(path) for name, path in sorted(files.items()) if name != METADATA}
    done = {"attributes": dict(attributes), "files": digests, "done": True}
    (unfinished / METADATA).write_bytes(group_metadata({"samssl_member": done}))
    _sync(unfinished)
    if target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished.rename(target)
    _sync_directory(target.parent)


def read_member(path: Path, expected_digest: str | None = None) -> Member:
    """Read a group of arrays, checking every byte on the way.

    Raises:
        DamagedArtifactError: naming each file that is missing or not the one that was written.
    """
    import zarr

    problems = find_damage(path, expected_digest)
    if problems:
        raise DamagedArtifactError(
            "\n  - ".join([f"{path}: is damaged; make the artifact again:", *problems])
        )
    names = sorted({name.split("/")[0] for name in _done(path)["files"]})
    group = zarr.open_group(path, mode="r")
    arrays = {name: np.asarray(group[name][...]) for name in names}  # type: ignore[index]  # arrays
    return Member(_done(path)["attributes"], arrays)


def read_member_attributes(path: Path) -> dict[str, Any]:
    """Read the attributes alone."""
    attributes: dict[str, Any] = _done(path)["attributes"]
    return attributes


def member_digest(path: Path) -> str:
    """The digest that the manifest keeps of a member: of its metadata, which covers its files."""
    return file_digest(path / METADATA)


def find_damage(path: Path, expected_digest: str | None = None) -> list[str]:
    """Compare a member with what was written; one line for each file that differs."""
    try:
        if expected_digest not in (None, member_digest(path)):
            return [f"{path / METADATA}: changed since it was sealed"]
        files = _done(path)["files"]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        return [f"{path / METADATA}: {error}"]
    return [line for name, digest in files.items() for line in _compare(path / name, digest)]


def _compare(path: Path, digest: str) -> list[str]:
    if not path.is_file():
        return [f"{path}: missing"]
    return [] if file_digest(path) == digest else [f"{path}: changed since it was written"]


def _done(path: Path) -> dict[str, Any]:
    done: dict[str, Any] = read_attributes(path)["samssl_member"]
    return done


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
    if array.nbytes <= _LARGEST_CHUNK or array.ndim < 3:
        return tuple(max(side, 1) for side in array.shape)
    leading = (1,) * (array.ndim - 3)
    return (*leading, *(min(side, _CHUNK_SIDE) for side in array.shape[-3:]))


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file())


def _sync(directory: Path) -> None:
    """Bring files and directory entries to the disk before a rename makes them count."""
    for path in _files(directory):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
