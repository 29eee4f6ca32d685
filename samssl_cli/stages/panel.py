"""The generalists that are asked together: their weights, their records, and they themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.errors import UsageError
from samssl_cli.progress import Progress
from samssl_cli.recipe import SamLabel
from samssl_cli.stages.asking import (
    choose_weights,
    generalist_record,
    is_artifact,
    load_generalist,
    weights_digest,
)

if TYPE_CHECKING:
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.types import Generalist

Weights = Path | Mapping[str, Path] | None
"""A file for the only generalist, or one by the name of each that has some."""


@dataclass(frozen=True)
class Panelist:
    """One generalist, with its weights."""

    options: SamLabel
    """With this one alone as `generalist`."""
    weights: Path | None
    digest: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its row in the table."""
        (name,) = self.options.generalists
        return name

    @property
    def record(self) -> dict[str, Any]:
        """What an artifact says of it."""
        return generalist_record(self.options, self.digest)

    @property
    def is_adapted(self) -> bool:
        """Whether its weights learned from labeled cases, on which a gate is calibrated too."""
        if self.weights is None or not is_artifact(self.weights):
            return False
        return bool(read_manifest(self.weights, "generalist").plan["stage"] == "adapt")


Panel = tuple[Panelist, ...]


def weights_of(options: SamLabel, weights: Weights) -> dict[str, Path | None]:
    """The file of each generalist, or None.

    Raises:
        UsageError: when it is not said whose a file is, or it is of one that is not asked.
    """
    names = options.generalists
    if isinstance(weights, Path):
        if len(names) > 1:
            raise UsageError(
                f"--checkpoint {weights}: {' and '.join(names)} are asked; say whose it is: "
                f"--checkpoint {names[0]}={weights}"
            )
        return {names[0]: weights}
    given = dict(weights or {})
    for name, path in given.items():
        if name not in names:
            raise UsageError(
                f"--checkpoint {name}={path}: {name} is not asked, but {' and '.join(names)}; "
                f"add --generalist {name}, or leave the file out"
            )
    return {name: given.get(name) for name in names}


def choose_panel(options: SamLabel, weights: Weights, progress: Progress) -> Panel:
    """All generalists of a recipe; without a file, the weights folder is searched.

    Raises:
        UsageError: when weights are missing, or are not of this generalist.
        WeightsError: when a file cannot be read.
    """
    found = {
        name: choose_weights(options.only(name), path, progress)
        for name, path in weights_of(options, weights).items()
    }
    return panel_of(options, found)


def panel_of(options: SamLabel, weights: Mapping[str, Path | None]) -> Panel:
    """All generalists of a recipe with these files, and no others.

    Raises:
        UsageError: when weights are missing, or are not of this generalist.
        WeightsError: when a file cannot be read.
    """
    return tuple(
        Panelist(options.only(name), path, weights_digest(name, path))
        for name, path in weights.items()
    )


def panel_inputs(panel: Panel) -> dict[str, str]:
    """The digests of all weights, as inputs of a plan."""
    if len(panel) == 1:
        return dict(panel[0].digest)
    return {f"{key} of {one.name}": digest for one in panel for key, digest in one.digest.items()}


def load_panel(
    panel: Panel, device: str, embeddings: "EmbeddingCache | None"
) -> "Sequence[Generalist]":
    """Build all of them with their weights, on a device."""
    return [
        load_generalist(one.options, one.weights, device, digest=one.digest, embeddings=embeddings)
        for one in panel
    ]
