"""Which generalist is meant: a row's name, with a weights file or a `generalist.zarr`, or its path.

What sam-label, evaluate and adapt share. From here on a recipe names a row, so that no path gets
into a fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.manifest import METADATA
from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.checkpoint_file import sha256_of_weights
from samssl_cli.generalists.model_folder import sha256_of_folder
from samssl_cli.generalists.published import find_weights, published_weights, weights_folder
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.registry import check_name

if TYPE_CHECKING:
    from samssl_cli.artifacts.generalist import GeneralistWeights


@dataclass(frozen=True)
class Which:
    """A generalist and its weights."""

    recipe: Recipe
    """Its section sam_label names the row; of all options, those of that row are left."""
    file: Path | None
    """Weights of its authors', when there are any: they are loaded first."""
    own: GeneralistWeights | None
    """A `generalist.zarr`, whose weights go in place of those in the file, or of some of them."""

    @property
    def name(self) -> str:
        """The row of the GENERALISTS table."""
        (name,) = self.recipe.sam_label.generalists
        return name

    @property
    def is_asked(self) -> bool:
        """Whether there is anybody to ask: not where `none` is named."""
        return GENERALISTS[self.name].is_asked


def which_generalist(recipe: Recipe, checkpoint: Path | None) -> Which:
    """Understand what was asked for; the weights folder is not looked at.

    `sam_label.generalist` is one row's name or the path of a `generalist.zarr`; `checkpoint` a
    weights file, or such a path too. The options that weights were adapted with are the defaults.

    Raises:
        UsageError: when there is no such row or file, or two artifacts are named.
        ArtifactError: when an artifact cannot be read, or is of another kind.
        WeightsError: when the artifact was made from other weights than the file.
    """
    (named,) = recipe.sam_label.generalists
    own = _opened(Path(named)) if _is_path(named) else None
    if checkpoint is not None and is_artifact(checkpoint):
        if own is not None:
            raise UsageError(
                f"--generalist {named} and --checkpoint {checkpoint} are both a generalist.zarr; "
                "name one of them"
            )
        own, checkpoint = _opened(checkpoint), None
    if own is None:
        check_name(GENERALISTS, named, kind="generalist")
        return Which(recipe.narrowed(), checkpoint, None)
    if not _is_path(named) and own.name != named:
        raise UsageError(
            f"{own.path} holds weights of generalist {own.name}, and {named} was asked for; "
            f"use --generalist {own.name}"
        )
    if checkpoint is not None:
        _check_base(own, checkpoint)
    return Which(_with_options_of(own, recipe).narrowed(), checkpoint, own)


def with_found_weights(which: Which, progress: Progress) -> Which:
    """The same, with the weights in the weights folder where some are needed and none are named.

    Raises:
        UsageError: when the folder holds several that fit.
    """
    if which.file is not None:
        return which
    if which.own is not None:
        found = _find_base(which.own) if which.own.base_sha256 else None
    elif GENERALISTS[which.name].needs_checkpoint:
        found = find_weights(which.name, which.recipe.sam_label.chosen_options)
    else:
        found = None
    if found is not None:
        progress.note(f"taking the weights {found}; --checkpoint names others")
    return Which(which.recipe, found, which.own)


def digest_of(which: Which) -> dict[str, str]:
    """What stands for the weights among the inputs of a stage; nothing for one without weights.

    The sha256 of a file, or of the config and the tensors of a folder; the fingerprint of a
    `generalist.zarr`.

    Raises:
        UsageError: when the generalist has weights and gets none, or the reverse.
        WeightsError: when the file cannot be read.
    """
    entry, own = GENERALISTS[which.name], which.own
    if own is not None:
        if own.base_sha256 and which.file is None:
            raise UsageError(
                f"{own.path} holds changes to the weights {own.base_sha256[:12]}…, which it needs "
                f"beside: add --checkpoint, with {entry.published}, or put the file into "
                f"{weights_folder()}"
            )
        return {"weights": own.fingerprint}
    file = which.file or entry.shipped
    if file is None and entry.needs_checkpoint:
        raise UsageError(
            f"generalist {which.name} needs its weights: --checkpoint {entry.published}; "
            f"or put the file into {weights_folder()}, see `samssl weights list`"
        )
    if file is None:
        return {}
    if not entry.needs_checkpoint and entry.shipped is None:
        raise UsageError(f"generalist {which.name} has no weights; leave out --checkpoint")
    if entry.takes_folder and file.is_dir():
        return {"weights": sha256_of_folder(file)}
    return {"weights": sha256_of_weights(file)}


def note_other_labels(which: Which, cases: Cases, progress: Progress) -> None:
    """Tell a person when a generalist was adapted to labels of another set of cases."""
    if which.own is None or not which.own.is_adapted:
        return
    assert which.own.adapted is not None
    if which.own.adapted["cases_fingerprint"] != cases.fingerprint:
        progress.note(
            f"{which.name} was adapted to labels of other cases or another split than "
            f"{cases.path}: make sure that none of them is tested here"
        )


def is_artifact(weights: Path) -> bool:
    """Whether these weights are a `generalist.zarr`, and no file and no folder of transformers."""
    return (weights / METADATA).is_file()


def _is_path(named: str) -> bool:
    """Whether a person wrote a path: a row of the table is never one."""
    return named not in GENERALISTS and (Path(named).is_dir() or named.endswith(".zarr"))


def _opened(path: Path) -> GeneralistWeights:
    from samssl_cli.artifacts.generalist import GeneralistWeights  # most runs name no artifact

    return GeneralistWeights(path)


def _with_options_of(own: GeneralistWeights, recipe: Recipe) -> Recipe:
    """A recipe that asks the row of an artifact, with its options where the recipe has none."""
    section = recipe.sam_label
    check_name(GENERALISTS, own.name, kind="generalist")
    options = {**own.options, **section.options.get(own.name, {})}
    asked = {"generalist": own.name, "options": {**section.options, own.name: options}}
    return recipe.model_copy(update={"sam_label": section.model_copy(update=asked)})


def _check_base(own: GeneralistWeights, file: Path) -> None:
    if own.base_sha256 is None:
        raise UsageError(f"{own.path} holds all weights there are; leave out --checkpoint {file}")
    found = sha256_of_weights(file)
    if found != own.base_sha256:
        raise WeightsError(
            f"weights {file}: sha256 {found[:12]}…, but {own.path} holds changes to "
            f"{own.base_sha256[:12]}…; give the very file that was adapted, or adapt this one"
        )


def _find_base(own: GeneralistWeights) -> Path | None:
    """The very file in the weights folder that these weights are changes to."""
    return next((file for file in _files_of(own.name) if _is_base(own, file)), None)


def _is_base(own: GeneralistWeights, file: Path) -> bool:
    return sha256_of_weights(file) == own.base_sha256


def _files_of(generalist: str) -> Iterator[Path]:
    for row in published_weights().values():
        for name in (row.safe_file, row.file) if row.generalist == generalist else ():
            if (file := weights_folder() / name).is_file():
                yield file
