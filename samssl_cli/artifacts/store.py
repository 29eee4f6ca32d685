"""Open a sealed store and read its members."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samssl_cli.artifacts.manifest import Kind, Manifest, read_manifest
from samssl_cli.artifacts.members import Member, read_member, read_member_attributes
from samssl_cli.errors import MissingArtifactError


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
        """Read the attributes of one member alone."""
        return read_member_attributes(self.path / name)
