"""`scores.csv` and `scores.json` beside `scores.zarr`: made when they are not what they should be.

Nothing here imports numpy: that both are up to date has to be answered at once. The last key of
the JSON is a checksum of both files and of the scores they were made from; what somebody edited,
what a killed run left half done, and what was made from other scores does not fit it.
"""

import hashlib
from pathlib import Path

from samssl_cli.artifacts.manifest import Manifest, read_manifest
from samssl_cli.volumes.small_file import read_small_file
from samssl_cli.volumes.whole_file import write_whole

_FORM = "1"  # raised when the files change, for those of the same scores to be made anew
_MAX_BYTES = 2_000_000_000  # a line per case, class and row: what is larger is none of ours
_TAIL = ',\n  "checksum": "{}"\n}}\n'
_END = "\n}\n"


def bring_up_to_date(scores: Path) -> str:
    """Have both files beside some scores, and whole; nothing is written where they are.

    Args:
        scores: a sealed `scores.zarr`.

    Returns:
        The text of `scores.json` without its checksum: what `score_documents.json_text` gives.

    Raises:
        ArtifactError: when the scores cannot be read, or a file cannot be written.
    """
    manifest = read_manifest(scores, "scores")
    table, document = beside(scores, ".csv"), beside(scores, ".json")
    found = _found(manifest, table, document)
    return _made(scores, manifest, table, document) if found is None else found


def beside(scores: Path, ending: str) -> Path:
    """scores.zarr to scores.csv; a name without .zarr keeps all of its dots."""
    return scores.with_name(scores.name.removesuffix(".zarr") + ending)


def _found(manifest: Manifest, table: Path, document: Path) -> str | None:
    """The text without its checksum; None unless both files are there and it fits."""
    try:
        lines = read_small_file(table, max_bytes=_MAX_BYTES)
        content = read_small_file(document, max_bytes=_MAX_BYTES)
    except OSError:  # made anew; what cannot be replaced either is told when it is written
        return None
    length = len(_TAIL.format("0" * 64))
    text = content[:-length] + _END.encode()
    return text.decode() if content == _signed(manifest, lines, text) else None


def _made(scores: Path, manifest: Manifest, table: Path, document: Path) -> str:
    """Write both files, the one with the checksum last."""
    from samssl_cli.artifacts.scores import Scores
    from samssl_cli.report.score_documents import csv_text, json_text

    opened = Scores(scores)
    lines, text = csv_text(opened).encode(), json_text(opened)
    write_whole(table, lines)
    write_whole(document, _signed(manifest, lines, text.encode()))
    return text


def _signed(manifest: Manifest, lines: bytes, text: bytes) -> bytes:
    """The text with the checksum as its last entry."""
    found = hashlib.sha256()
    manifest_sha256: str = manifest.to_json()["manifest_sha256"]
    for part in (_FORM.encode(), manifest_sha256.encode(), lines, text):
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return text.removesuffix(_END.encode()) + _TAIL.format(found.hexdigest()).encode()
