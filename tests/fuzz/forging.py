"""Make the digests of an artifact right again after it was changed, as an attacker would."""

import json
from pathlib import Path
from typing import Any

from samssl_cli.artifacts.manifest import METADATA, digest, file_digest, group_metadata


def sign(store: Path) -> None:
    """Sign every member, every store in the store, and the store; what has lost its form stays."""
    for path in sorted(store.rglob(METADATA), key=lambda path: -len(path.parts)):
        document = _document(path)
        attributes = document.get("attributes") if isinstance(document, dict) else None
        if not isinstance(attributes, dict):
            continue
        try:
            if "samssl_member" in attributes:
                _sign_member(path.parent, attributes["samssl_member"])
            elif "samssl" in attributes:
                _sign_store(path.parent, attributes["samssl"])
            else:
                continue
            path.write_bytes(group_metadata(attributes))
        except (TypeError, ValueError, AttributeError, KeyError, OSError, RecursionError):
            continue


def _sign_member(member: Path, done: dict[str, Any]) -> None:
    done.pop("sha256", None)
    files = done.get("files")
    if isinstance(files, dict):
        for name in files:
            if "\0" not in name and (member / name).is_file():
                files[name] = file_digest(member / name)
    done["sha256"] = digest(done)


def _sign_store(store: Path, manifest: dict[str, Any]) -> None:
    if "manifest_sha256" not in manifest:
        return
    del manifest["manifest_sha256"]
    members = manifest.get("members")
    if isinstance(members, dict):
        for name in members:
            if "\0" not in name and (store / name / METADATA).is_file():
                members[name] = file_digest(store / name / METADATA)
    manifest["manifest_sha256"] = digest(manifest)


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes()) if path.is_file() else None
    except (ValueError, RecursionError):
        return None
