"""The generalists that are asked together: their weights, their records, and they themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.cases import Cases
from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe, SamLabel, validate
from samssl_cli.registry import load
from samssl_cli.stages.asking import generalist_record, load_generalist
from samssl_cli.stages.which_generalist import (
    Which,
    digest_of,
    note_other_labels,
    which_generalist,
    with_found_weights,
)

if TYPE_CHECKING:
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.types import Generalist
    from samssl_cli.stages.labeled_images import Shown

Weights = Path | Mapping[str, Path] | None
"""A file for the only generalist, or one by the name of each that has some."""


@dataclass(frozen=True)
class Panelist:
    """One generalist, with its weights."""

    which: Which
    digest: Mapping[str, str]

    @property
    def options(self) -> SamLabel:
        """With this one alone as `generalist`."""
        return self.which.recipe.sam_label

    @property
    def name(self) -> str:
        """Its row in the table."""
        return self.which.name

    @property
    def record(self) -> dict[str, Any]:
        """What an artifact says of it."""
        return generalist_record(self.which, self.digest)

    @property
    def looks_at_labels(self) -> bool:
        """Whether it is shown the labeled cases."""
        return GENERALISTS[self.name].needs_labeled

    @property
    def is_adapted(self) -> bool:
        """Whether its weights learned from labeled cases."""
        return self.which.own is not None and self.which.own.is_adapted


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


def which_generalists(recipe: Recipe, weights: Weights) -> tuple[Which, ...]:
    """Understand all that was asked for; the weights folder is not looked at.

    Raises:
        UsageError: when there is no such row or file, one row is named twice, or `none` has
            company or weights.
        ArtifactError: when an artifact cannot be read, or is of another kind.
        WeightsError: when an artifact was made from other weights than the file.
    """
    section = recipe.sam_label
    found = tuple(
        which_generalist(recipe.model_copy(update={"sam_label": section.only(name)}), path)
        for name, path in weights_of(section, weights).items()
    )
    rows = [which.name for which in found]
    if len(set(rows)) < len(rows):
        raise UsageError(
            f"{' and '.join(section.generalists)} are of one row, and are asked with the same "
            "options; name each row once"
        )
    for which in found:
        if not which.is_asked:
            _check_stands_alone(which, found)
    return found


def asks_nobody(found: Sequence[Which]) -> bool:
    """Whether `none` is what was asked for: self-training, without a generalist."""
    return not any(which.is_asked for which in found)


def _check_stands_alone(which: Which, found: Sequence[Which]) -> None:
    others = [one.name for one in found if one is not which]
    if others:
        raise UsageError(
            f"generalist {which.name} asks nobody, and {' and '.join(others)} cannot be asked "
            "beside it; leave one of them out"
        )
    if which.file is not None:
        raise UsageError(
            f"generalist {which.name} asks nobody; leave out --checkpoint {which.file}"
        )
    options = load(GENERALISTS, which.name, kind="generalist").Options
    where = f"sam_label.options.{which.name}"
    validate(options, which.recipe.sam_label.chosen_options, where=where)


def with_rows(recipe: Recipe, found: Sequence[Which]) -> Recipe:
    """The same recipe with rows for paths, and the options of these rows alone.

    Where nobody is asked, the thresholds are those that leave the specialist's labels alone, so
    that no result and no fingerprint depends on them.
    """
    options = {which.name: which.recipe.sam_label.chosen_options for which in found}
    rows = tuple(options)
    asked = {"generalist": rows[0] if len(rows) == 1 else rows, "options": options}
    section = recipe.sam_label.model_copy(update=asked)
    if asks_nobody(found):
        section = section.of_specialist_alone()
    return recipe.narrowed().model_copy(update={"sam_label": section})


def panel_of(found: Sequence[Which]) -> Panel:
    """The generalists with these weights, and no others; empty where nobody is asked.

    Raises:
        UsageError: when weights are missing, or are not of this generalist.
        WeightsError: when a file cannot be read.
    """
    return tuple(Panelist(which, digest_of(which)) for which in found if which.is_asked)


def choose_panel(
    found: Sequence[Which], cases: Cases | None, progress: Progress, *, only_adapted: bool = False
) -> Panel:
    """The same; where a file is missing, the weights folder is searched.

    Args:
        found: from `which_generalists`.
        cases: what they are asked about, when there are cases; a person is told of a generalist
            that was adapted to others.
        progress: where to say which file was taken.
        only_adapted: search for the file behind a `generalist.zarr`, and for no other.

    Raises:
        UsageError: when weights are missing, or are not of this generalist.
        WeightsError: when a file cannot be read.
    """
    taken = [
        with_found_weights(which, progress) if which.own is not None or not only_adapted else which
        for which in found
    ]
    if cases is not None:
        for which in taken:
            note_other_labels(which, cases, progress)
    return panel_of(taken)


def panel_inputs(panel: Panel) -> dict[str, str]:
    """The digests of all weights, as inputs of a plan."""
    if len(panel) == 1:
        return dict(panel[0].digest)
    return {f"{key} of {one.name}": digest for one in panel for key, digest in one.digest.items()}


def load_panel(
    panel: Panel,
    device: str,
    embeddings: "EmbeddingCache | None",
    *,
    shown: "Callable[[], Shown] | None" = None,
) -> "Sequence[Generalist]":
    """Build all of them with their weights, on a device.

    `shown` gives the labeled cases to those that look at them.
    """
    return [load_panelist(one, device, embeddings, shown=shown) for one in panel]


def load_panelist(
    one: Panelist,
    device: str,
    embeddings: "EmbeddingCache | None",
    *,
    shown: "Callable[[], Shown] | None" = None,
) -> "Generalist":
    """Build one of them with its weights, on a device."""
    return load_generalist(one.which, device, digest=one.digest, embeddings=embeddings, shown=shown)
