"""`samssl show` and `samssl verify`: what an artifact is, and whether it is whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samssl_cli.artifacts.cases import VISIBLE
from samssl_cli.artifacts.heldout import HELD_OUT
from samssl_cli.artifacts.manifest import METADATA, read_manifest
from samssl_cli.artifacts.members import find_damage
from samssl_cli.errors import ArtifactError, DamagedArtifactError
from samssl_cli.progress import Progress

_STORES = {"cases": (VISIBLE, HELD_OUT)}


def describe(artifact: Path) -> dict[str, Any]:
    """The manifest of an artifact with the sizes of its members, as JSON values.

    Raises:
        MissingArtifactError: when it is not an artifact.
    """
    manifest = read_manifest(artifact)
    stores = [artifact / name for name in _STORES.get(manifest.kind, ())] or [artifact]
    described = manifest.to_json()
    described["members"] = {
        member.relative_to(artifact).as_posix(): _size(member)
        for store in stores
        for member in (store / name for name in read_manifest(store).members)
    }
    return {"path": str(artifact), **described, "total_bytes": _size(artifact)}


def verify(artifact: Path, progress: Progress) -> None:
    """Read every byte of an artifact and compare it with what was written.

    Raises:
        DamagedArtifactError: naming each member that differs.
    """
    kind = read_manifest(artifact).kind
    stores = [artifact, *(artifact / name for name in _STORES.get(kind, ()))]
    members = [(path, digest) for store in stores for path, digest in _members(store)]
    progress.start("verifying", total=len(members))
    problems = []
    for path, digest in members:
        problems += find_damage(path, digest)
        progress.advance({"member": path.name})
    if problems:
        raise DamagedArtifactError(
            "\n  - ".join([f"{artifact}: {len(problems)} damaged files:", *problems])
        )


def _members(store: Path) -> Iterator[tuple[Path, str]]:
    """The members of a store with their digests; a store that is damaged itself is told apart."""
    for name, digest in read_manifest(store).members.items():
        path = store / name
        if path.name in (VISIBLE, HELD_OUT) and _is_store(path):
            continue  # a store of its own, with a manifest that is checked when it is read
        yield path, digest


def _is_store(path: Path) -> bool:
    try:
        read_manifest(path)
    except ArtifactError:
        return False
    return (path / METADATA).is_file()


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
