"""Open a sealed store and read its members."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samssl_cli.artifacts.manifest import (
    METADATA,
    Kind,
    Manifest,
    read_attributes,
    read_manifest,
)
from samssl_cli.artifacts.members import (
    Member,
    damaged,
    find_damage,
    member_digest,
    read_member,
    read_member_attributes,
)
from samssl_cli.errors import ArtifactError, DamagedArtifactError, MissingArtifactError


class SealedStore:
    """A complete, read-only store."""

    def __init__(self, path: Path, *kinds: Kind) -> None:
        """Read the manifest.

        Raises:
            MissingArtifactError: when there is no store of one of `kinds` at the path.
            DamagedArtifactError: when its manifest is not the one that was written.
        """
        self.path = path
        self.manifest: Manifest = read_manifest(path, *kinds)

    @property
    def fingerprint(self) -> str:
        """What stands for this store among the inputs of a later stage."""
        return self.manifest.fingerprint

    @property
    def about(self) -> Mapping[str, Any]:
        """The facts in the manifest."""
        return self.manifest.about

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all members."""
        return tuple(self.manifest.members)

    def member(self, name: str) -> Member:
        """Read one member, checking its bytes.

        Raises:
            MissingArtifactError: when there is no such member.
            DamagedArtifactError: when its bytes are not those that were written.
        """
        if name not in self.manifest.members:
            raise MissingArtifactError(f"{self.path}: has no member {name!r}")
        return read_member(self.path / name, self.manifest.members[name])

    def attributes(self, name: str) -> dict[str, Any]:
        """Read the attributes of one member alone, checking their bytes.

        Raises:
            DamagedArtifactError: when they are not those that were written.
        """
        if name not in self.manifest.members:
            raise MissingArtifactError(f"{self.path}: has no member {name!r}")
        path = self.path / name
        if not (path / METADATA).is_file():
            raise damaged(path, [f"{path / METADATA}: missing"])
        if member_digest(path) != self.manifest.members[name]:
            raise damaged(path, [f"{path / METADATA}: changed since it was sealed"])
        return read_member_attributes(path)


def all_members(store: Path) -> list[tuple[Path, str]]:
    """Every member of a store, and of the stores in it, with the digest in the manifest.

    Raises:
        DamagedArtifactError: when the manifest of `store` itself is damaged.
    """
    found = []
    for name, digest in read_manifest(store).members.items():
        path = store / name
        found += all_members(path) if _is_whole_store(path, digest) else [(path, digest)]
    return found


def find_all_damage(store: Path) -> list[str]:
    """Read every byte of a store; one line for each file that is not as it was written."""
    try:
        members = all_members(store)
    except DamagedArtifactError as error:
        return [str(error)]
    return [line for path, digest in members for line in find_damage(path, digest)]


def _is_whole_store(path: Path, digest: str) -> bool:
    """Whether a member is a store of its own; a damaged one is told as a member is."""
    try:
        is_store = "samssl" in read_attributes(path)
    except ArtifactError:
        return False
    return is_store and member_digest(path) == digest
