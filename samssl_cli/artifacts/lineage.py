"""Which generalists an artifact learned from, in this round and in those before it."""

from collections.abc import Iterable, Mapping
from typing import Any

from samssl_cli.artifacts.manifest import Manifest

Record = dict[str, Any]

UNRECORDED: Record = {
    "name": "not recorded",
    "register": "a generalist that was not recorded",
    "weights_sha256": None,
}
"""Stands for those of an artifact that was made before they were kept."""


def generalists_of(manifest: Manifest) -> list[Record]:
    """One record (`name`, `register`, `weights_sha256`) for each; none for a first specialist."""
    kept: list[Record] | None = manifest.about.get("generalists")
    if kept is not None:
        return [dict(record) for record in kept]
    return [] if manifest.plan["stage"] == "train-ssl" else [UNRECORDED]


def merged(*lists: Iterable[Mapping[str, Any]]) -> list[Record]:
    """All records, each once, in the order in which they come."""
    everything = [dict(record) for records in lists for record in records]
    return [record for n, record in enumerate(everything) if record not in everything[:n]]
