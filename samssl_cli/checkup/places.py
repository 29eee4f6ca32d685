"""The other folders that a run may write to: temporary files, what --embeddings keeps."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from samssl_cli.checkup.finding import Finding, gb, one_line
from samssl_cli.checkup.folder import PROBE, is_folder, nearest

_EMBEDDINGS = "SAMSSL_EMBEDDINGS"
_LITTLE = 500_000_000


def check_places(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Try to write to each."""
    try:
        place = Path(tempfile.gettempdir())
    except OSError as error:
        cure = "export TMPDIR=DIR, a folder that you may write"
        yield Finding("temporary-files", "problem", one_line(error), cure)
    else:
        yield _place("temporary-files", place, "export TMPDIR=DIR, another folder")
    named = os.environ.get(_EMBEDDINGS)
    if named:
        place = Path(named).expanduser()
        yield _place("embeddings", place, f"export {_EMBEDDINGS}=DIR, another folder")


def _place(name: str, place: Path, cure: str) -> Finding:
    existing = nearest(place)
    facts = {"path": str(place), "exists": is_folder(place)}
    try:
        with tempfile.TemporaryDirectory(prefix=PROBE, dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        told = f"{place} cannot be written ({one_line(error)})"
        return Finding(name, "problem", told, cure, facts)
    facts["free_bytes"] = free
    told = f"{place}, {gb(free)} free"
    if free < _LITTLE:
        return Finding(name, "note", told, cure, facts)
    return Finding(name, "ok", told, facts=facts)
