"""What an artifact says of itself: where it came from, and the digest of everything in it.

Nothing here imports zarr: "up to date" has to be answered at once.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from samssl_cli.artifacts.forms import check_manifest, understanding
from samssl_cli.errors import DamagedArtifactError, MissingArtifactError, StaleArtifactError
from samssl_cli.volumes.small_file import read_small_file

Kind = Literal[
    "cases",
    "visible-cases",
    "held-out-labels",
    "checkpoint",
    "prompts",
    "labels",
    "scores",
    "generalist",
]

SCHEMA = 1
_MEMBER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,140}")
METADATA = "zarr.json"
_MAX_METADATA_BYTES = 50_000_000  # some hundred bytes for each case, chunk and prompt
_MADE_BY = {
    "cases": "samssl preprocess",
    "visible-cases": "samssl preprocess",
    "held-out-labels": "samssl preprocess",
    "checkpoint": "samssl train-ssl or samssl retrain",
    "prompts": "samssl prompt",
    "labels": "samssl sam-label",
    "scores": "samssl evaluate",
    "generalist": "samssl adapt or samssl pretrain-scout",
}
_PACKAGES = ("samssl", "torch", "monai", "numpy", "scipy", "zarr", "nibabel", "segment-anything")


@dataclass(frozen=True)
class Plan:
    """What a stage is about to do, known before any work is done."""

    kind: Kind
    stage: str
    options: Mapping[str, Any]
    seed: int
    inputs: Mapping[str, str]
    """Name of the input to its fingerprint."""

    def to_json(self) -> dict[str, Any]:
        """The plan as the plain JSON values that are stored and compared."""
        plan = {
            "kind": self.kind,
            "schema": SCHEMA,
            "stage": self.stage,
            "options": dict(self.options),
            "seed": self.seed,
            "inputs": dict(self.inputs),
        }
        as_stored: dict[str, Any] = json.loads(json.dumps(plan))
        return as_stored

    @property
    def fingerprint(self) -> str:
        """The sha256 that two runs share if and only if they mean to give the same artifact."""
        return digest(self.to_json())


@dataclass(frozen=True)
class Manifest:
    """The manifest of a sealed store."""

    plan: Mapping[str, Any]
    fingerprint: str
    about: Mapping[str, Any]
    """Facts that readers need, such as class names."""
    members: Mapping[str, str]
    """Name of a sub-group to the sha256 of its metadata file."""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What the store holds."""
        kind: Kind = self.plan["kind"]
        return kind

    def to_json(self) -> dict[str, Any]:
        """The manifest as it is stored, with a digest of itself."""
        body = {
            **self.plan,
            "fingerprint": self.fingerprint,
            "about": dict(self.about),
            "versions": dict(self.versions),
            "members": dict(sorted(self.members.items())),
        }
        return {**body, "manifest_sha256": digest(body)}


def digest(value: Any) -> str:
    """The sha256 of a JSON value in canonical form: sorted keys, no blanks, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def current_versions() -> dict[str, str]:
    """The versions of the packages that decide a result, read without importing them."""
    from importlib import metadata

    return {name: metadata.version(name) for name in _PACKAGES}


def group_metadata(attributes: Mapping[str, Any]) -> bytes:
    """The bytes of a Zarr v3 group's `zarr.json`."""
    document = {"attributes": dict(attributes), "zarr_format": 3, "node_type": "group"}
    return json.dumps(document, indent=2, allow_nan=False).encode()


def read_attributes(store: Path) -> dict[str, Any]:
    """Read a group's attributes without zarr.

    Raises:
        MissingArtifactError: when there is no Zarr group at the path.
        DamagedArtifactError: when its metadata cannot be read.
    """
    try:
        attributes = dict(json.loads(_read_metadata(store))["attributes"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingArtifactError(_missing(store)) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedArtifactError(
            f"{store / METADATA}: its metadata is damaged ({error}); make it again with --force"
        ) from error
    return attributes


def _read_metadata(store: Path) -> bytes:
    return read_small_file(store / METADATA, max_bytes=_MAX_METADATA_BYTES)


def is_unfinished(attributes: Mapping[str, Any]) -> bool:
    """Whether the attributes are those of a draft: a plan, and no manifest yet."""
    samssl = attributes.get("samssl")
    return isinstance(samssl, dict) and set(samssl) == {"plan"}


def is_member_name(name: str) -> bool:
    """Whether a member may be called so; a name is never a way out of the store."""
    return _MEMBER_NAME.fullmatch(name) is not None


def read_manifest(store: Path, *kinds: Kind) -> Manifest:
    """Read the manifest of a sealed store, and check that it is of one of `kinds` (any, if none).

    Raises:
        MissingArtifactError: when nothing is there, or another kind of artifact.
        DamagedArtifactError: when the manifest is not the one that was written.
        StaleArtifactError: when it has the layout of another version of samssl.
    """
    stored = _read_stored(store)
    if stored.get("schema", SCHEMA) != SCHEMA:
        raise StaleArtifactError(
            f"{store}: has layout {stored['schema']}, this samssl reads {SCHEMA}; "
            "CHANGELOG.md names the stage to run again with --force"
        )
    with understanding(store / METADATA):
        check_manifest(stored)
    if stored["kind"] not in _MADE_BY:
        raise DamagedArtifactError(
            f"{store}: holds {stored['kind'][:80]!r}, a kind that samssl does not make"
        )
    if kinds and stored["kind"] not in kinds:
        expected = " or ".join(kinds)
        made_by = " or ".join(dict.fromkeys(_MADE_BY[kind] for kind in kinds))
        raise MissingArtifactError(
            f"{store}: holds {stored['kind']} (from {stored['stage']}), expected {expected}, "
            f"as made by {made_by}"
        )
    for name in stored["members"]:
        if not is_member_name(name):
            raise DamagedArtifactError(
                f"{store}: has a member called {name!r}, as samssl names none: it was not made by "
                "samssl"
            )
    return Manifest(
        plan={key: stored[key] for key in ("kind", "schema", "stage", "options", "seed", "inputs")},
        fingerprint=stored["fingerprint"],
        about=stored["about"],
        members=stored["members"],
        versions=stored["versions"],
    )


def _read_stored(store: Path) -> dict[str, Any]:
    """The manifest's values, once every byte of its file is known to be as it was written."""
    attributes = read_attributes(store)
    if "samssl" not in attributes:
        raise MissingArtifactError(f"{store}: is a Zarr group, but not an artifact of samssl")
    if is_unfinished(attributes):
        raise MissingArtifactError(f"{store}: is not finished; run the stage that writes it again")
    try:
        stored = dict(attributes["samssl"])
        is_as_written = _read_metadata(store) == group_metadata(attributes)
        is_as_written &= stored.pop("manifest_sha256") == digest(stored)
    except (KeyError, TypeError, ValueError, RecursionError):
        stored, is_as_written = {}, False
    if not is_as_written:
        raise DamagedArtifactError(
            f"{store / METADATA}: the manifest is not the one that was written; "
            "run the stage that made it again with --force"
        )
    return stored


def _missing(store: Path) -> str:
    if store.exists():
        return f"{store}: exists, but is not an artifact of samssl"
    part = store.with_name(store.name + ".part")
    if part.exists():
        return f"{store}: is not finished yet; run the stage that writes it again, it will resume"
    return f"{store}: does not exist"
