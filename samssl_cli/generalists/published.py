"""Published weights: what they are called, under which licence, where from, and where we look.

The rows are in `published.toml`. Nothing here downloads, and nothing imports torch.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.registry import check_name

REGISTER = Path(__file__).with_suffix(".toml")

FOLDER_VARIABLE = "SAMSSL_WEIGHTS"
SAFE_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class PublishedWeights:
    """A row of the register; `vars` gives JSON values."""

    name: str
    generalist: str
    file: str
    title: str
    licence: str
    non_commercial: bool
    page: str
    source: str
    """Who states the digests."""
    options: Mapping[str, str]
    """Of the generalist: what these weights were trained for."""
    url: str = ""
    num_bytes: int | None = None
    sha256: str = ""
    """Empty where it is not publicly known."""
    md5: str = ""

    @property
    def safe_file(self) -> str:
        """What `samssl weights convert` calls it."""
        return Path(self.file).with_suffix(SAFE_SUFFIX).name

    @property
    def register(self) -> str:
        """The name in the register of exposure: what these weights were trained on."""
        trainings = GENERALISTS[self.generalist].trainings
        return trainings.name(self.options) if trainings else self.generalist

    def fits(self, options: Mapping[str, Any]) -> bool:
        """Whether a recipe's options for the generalist ask for these weights.

        What tells trainings apart has its default where a recipe does not name it; any other option
        is then "auto", which every row fits.
        """
        trainings = GENERALISTS[self.generalist].trainings
        asked = {**({trainings.option: trainings.default} if trainings else {}), **options}
        return all(asked.get(key, "auto") in (value, "auto") for key, value in self.options.items())

    def how_to_get(self) -> str:
        """Two lines for a person who does not have the file."""
        size = "" if self.num_bytes is None else f", {self.num_bytes / 1e6:.0f} MB"
        terms = self.licence + (", not for commercial use" if self.non_commercial else "")
        return (
            f"download {self.file} ({self.title}{size}; {terms}) from its authors: {self.page}\n"
            f"and put it into {weights_folder()} (or set {FOLDER_VARIABLE} to another folder)"
        )


@cache
def published_weights() -> dict[str, PublishedWeights]:
    """Every row by its name."""
    rows = tomllib.loads(REGISTER.read_text(encoding="utf-8"))
    return {name: PublishedWeights(name=name, **row) for name, row in rows.items()}


def named_weights(name: str) -> PublishedWeights:
    """The row of a name, or of the name of its file.

    Raises:
        UsageError: when there is none; the message lists the names.
    """
    rows = published_weights()
    by_file = {row.file: row for row in rows.values()}
    if name in by_file:
        return by_file[name]
    check_name(rows, name, kind="weights")
    return rows[name]


def matching_weights(*, sha256: str, md5: str) -> PublishedWeights | None:
    """The row whose published digest is this file's; MD5 counts only where there is no SHA-256."""
    for row in published_weights().values():
        published, given = (row.sha256, sha256) if row.sha256 else (row.md5, md5)
        if published and published == given:
            return row
    return None


def weights_folder() -> Path:
    """Where weights are looked for: $SAMSSL_WEIGHTS, or else the platform's folder for data."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else _data_folder() / "samssl" / "weights"


def file_of(row: PublishedWeights) -> Path | None:
    """The file of a row in the weights folder, converted or as published; None if absent."""
    folder = weights_folder()
    return next((f for n in (row.safe_file, row.file) if (f := folder / n).is_file()), None)


def find_weights(generalist: str, options: Mapping[str, Any]) -> Path | None:
    """The one file in the weights folder that a generalist can use with these options, if any.

    Raises:
        UsageError: when there are several, which only a person can choose from.
    """
    rows = [row for row in published_weights().values() if row.generalist == generalist]
    found = [file for row in rows if row.fits(options) and (file := file_of(row))]
    if len(found) > 1:
        raise UsageError(
            f"{weights_folder()} holds several weights for {generalist}: "
            f"{', '.join(file.name for file in found)}; name one with --checkpoint"
        )
    return found[0] if found else None


def _data_folder() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    shared = os.environ.get("XDG_DATA_HOME", "")
    return Path(shared) if Path(shared).is_absolute() else Path.home() / ".local" / "share"
