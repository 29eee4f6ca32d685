"""The exposure register: has a generalist seen a data set in its own training?

A generalist that was trained on the scans it is asked about is not tested on unseen data, and a
comparison that does not say so flatters it. The register, `exposure.toml`, ships with the package
and holds only what can be cited; a data set that it does not know is not a clean one.

Readable without torch and numpy.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from samssl_cli.generalists.published import published_weights

REGISTER = Path(__file__).with_suffix(".toml")

Verdict = Literal["seen", "related", "not-listed", "unknown", "procedural", "untrained"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_EVERY = "*"
_SENTENCES: dict[str, str] = {
    "seen": (
        "{generalist} is known to have seen this data set ({dataset}) in its own training "
        "({source}): results on it are not unseen-data results."
    ),
    "related": (
        "{generalist} is not known to have seen this data set ({dataset}) by name, but saw data "
        "that share cases with it ({source}): results on it may not be unseen-data results."
    ),
    "not-listed": (
        "This data set ({dataset}) is not in the published training data of {generalist} "
        "({source})."
    ),
    "unknown": (
        "It is not known whether {generalist} has seen this data set ({dataset}) in its own "
        "training ({source})."
    ),
    "procedural": (
        "{generalist} was trained on procedurally drawn volumes alone ({source}): it has seen no "
        "data set."
    ),
    "untrained": "{generalist} is not trained at all ({source}): it has seen no data set.",
}


@dataclass(frozen=True)
class KnownDataset:
    """A data set of the register."""

    key: str
    title: str
    """For people."""
    aliases: tuple[str, ...]
    """Its names in lower case, letters and digits only."""


@dataclass(frozen=True)
class Exposure:
    """What the register says of one generalist and one data set; `vars` gives JSON values."""

    verdict: Verdict
    sentence: str
    """For the report; its source is in it."""
    source: str
    """Empty where the register knows nothing."""


def find_dataset(name: str) -> KnownDataset | None:
    """Find the data set of a name, whatever its case and punctuation; None for an unknown one.

    Only a whole name counts: "brats" is none of the BraTS years, "my-la" not the Left Atrium.
    """
    plain = normalised(name)
    return next((one for one in known_datasets() if plain in one.aliases), None)


def exposure(generalist: str, dataset: str, weights_sha256: str | None = None) -> Exposure:
    """Say whether a generalist has seen a data set in its own training.

    What the register does not know, generalist or data set, has the verdict "unknown" and a
    sentence that says what to do. A generalist that is not trained has seen nothing, by any name.

    Args:
        generalist: "sam", "medsam", "sam-med3d", "sam-med3d-turbo", "region-growing".
        dataset: any name of the data set; see `find_dataset`.
        weights_sha256: of the weights file; None for the published ones. Where those are known,
            any other file is one that somebody trained further, on nobody knows what.
    """
    title = known_generalists().get(generalist)
    if title is None:
        return Exposure(
            "unknown",
            f"It is not known what {generalist} was trained on: it is not in the register.",
            "",
        )
    published = _published_digests(generalist)
    if published and weights_sha256 is not None and weights_sha256 not in published:
        return Exposure(
            "unknown",
            f"It is not known what was seen in training by the weights that were used "
            f"({weights_sha256}): they are none of the published ones of {title}.",
            "",
        )
    known, rows = find_dataset(dataset), _rows()
    row = rows.get((generalist, known.key if known else _EVERY)) or rows.get((generalist, _EVERY))
    if row is not None and (known is not None or row["verdict"] in ("procedural", "untrained")):
        return _exposure(row, title, known.title if known else dataset)
    return Exposure(
        "unknown",
        f"It is not known whether {title} has seen this data set in its own training: {dataset!r} "
        "is not in the register; name it with --known-as to look it up.",
        "",
    )


def known_generalists() -> dict[str, str]:
    """The generalists of the register: key to title."""
    titles: dict[str, str] = _register()["generalists"]
    return titles


@cache
def known_datasets() -> tuple[KnownDataset, ...]:
    """The data sets of the register."""
    return tuple(
        KnownDataset(key, entry["title"], tuple(entry["aliases"]))
        for key, entry in _register()["datasets"].items()
    )


def normalised(name: str) -> str:
    """The name in lower case, letters a-z and digits only."""
    return re.sub("[^a-z0-9]", "", name.lower())


def _published_digests(generalist: str) -> set[str]:
    """The sha256 of its published weights, as far as they are publicly known."""
    rows = (row for row in published_weights().values() if row.register == generalist)
    return {row.sha256 for row in rows if row.sha256}


def _exposure(row: dict[str, Any], generalist: str, dataset: str) -> Exposure:
    told = _SENTENCES[row["verdict"]].format(
        generalist=generalist, dataset=dataset, source=row["source"]
    )
    return Exposure(row["verdict"], " ".join([told, *row.get("note", "").split()]), row["source"])


@cache
def _rows() -> dict[tuple[str, str], dict[str, Any]]:
    """(generalist, key of a data set or "*") to its row."""
    return {
        (row["generalist"], key): row for row in _register()["exposure"] for key in row["datasets"]
    }


@cache
def _register() -> dict[str, Any]:
    return tomllib.loads(REGISTER.read_text(encoding="utf-8"))
