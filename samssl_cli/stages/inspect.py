"""`samssl show` and `samssl verify`: what an artifact is, and whether it is whole."""

from pathlib import Path
from typing import Any

from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.members import damaged, find_damage
from samssl_cli.artifacts.store import all_members
from samssl_cli.progress import Progress


def describe(artifact: Path) -> dict[str, Any]:
    """The manifest of an artifact with the sizes of its members, as JSON values.

    Raises:
        MissingArtifactError: when it is not an artifact.
    """
    described = read_manifest(artifact).to_json()
    described["members"] = {
        path.relative_to(artifact).as_posix(): _size(path) for path, _ in all_members(artifact)
    }
    return {"path": str(artifact), **described, "total_bytes": _size(artifact)}


def verify(artifact: Path, progress: Progress) -> None:
    """Read every byte of an artifact and compare it with what was written.

    Raises:
        DamagedArtifactError: naming each member that differs.
    """
    members = all_members(artifact)
    progress.start("verifying", total=len(members))
    problems = []
    for path, digest in members:
        problems += find_damage(path, digest)
        progress.advance({"member": path.name})
    if problems:
        raise damaged(artifact, problems)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
