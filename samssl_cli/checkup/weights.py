"""Which published weights are in the weights folder, and whether they are all there."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from samssl_cli.checkup.finding import Finding
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.published import (
    FOLDER_VARIABLE,
    PublishedWeights,
    file_of,
    published_weights,
    weights_folder,
)

_HOW = "samssl weights list says where their authors offer them"


def check_weights(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Say what `sam-label` would find without --checkpoint."""
    yield from _shipped()
    yield _folder()
    found = [(row, file) for row in published_weights().values() if (file := file_of(row))]
    for row, file in found:
        yield _file(row, file)
    if not found:
        told = f"none in {weights_folder()}: --generalist sam and the like need --checkpoint"
        yield Finding("published-weights", "note", told, _HOW)


def _shipped() -> Iterator[Finding]:
    for name, row in GENERALISTS.items():
        if row.shipped is not None and not row.shipped.is_file():
            cure = "install samssl again"
            yield Finding(name, "problem", f"{row.shipped} is not in the package", cure)


def _folder() -> Finding:
    folder, named = weights_folder(), os.environ.get(FOLDER_VARIABLE)
    facts = {"path": str(folder), FOLDER_VARIABLE: named, "exists": folder.is_dir()}
    if named and not folder.is_dir():
        told = f"{FOLDER_VARIABLE}={named} names no folder"
        cure = f"make it, or unset {FOLDER_VARIABLE}"
        return Finding("weights-folder", "problem", told, cure, facts)
    told = f"{folder}" + ("" if folder.is_dir() else ", which does not exist")
    return Finding("weights-folder", "ok", told, facts=facts)


def _file(row: PublishedWeights, file: Path) -> Finding:
    """One file that is there; its digest is looked at by `samssl weights verify` alone."""
    size = file.stat().st_size
    facts = {"path": str(file), "num_bytes": size, "generalist": row.generalist}
    is_published = file.name == row.file and row.num_bytes is not None
    if not os.access(file, os.R_OK):
        return Finding(row.name, "problem", f"{file} cannot be read", f"chmod u+r {file}", facts)
    if is_published and row.num_bytes != size:
        told = f"{file} has {size} bytes, the published file {row.num_bytes}"
        cure = f"download it again, then: samssl weights verify {file}"
        return Finding(row.name, "problem", told, cure, facts)
    return Finding(row.name, "ok", f"{file}, for {row.generalist}", facts=facts)
