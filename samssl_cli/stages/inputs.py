"""Whether the inputs of a stage go together."""

from pathlib import Path

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.errors import StaleArtifactError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.guesses import FIRST_GUESSES
from samssl_cli.methods import METHODS
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.registry import check_name
from samssl_cli.stages.voxel_size import PredictionGrid


def check_option_tables(recipe: Recipe) -> None:
    """Raise a `UsageError` for options of a method, generalist or first guess that is not there."""
    for section in (recipe.train_ssl, recipe.retrain):
        for name in section.method_options:
            check_name(METHODS, name, kind="method in method_options")
    for name in recipe.sam_label.options:
        check_name(GENERALISTS, name, kind="generalist in sam_label.options")
    for name in recipe.first_guess.options:
        check_name(FIRST_GUESSES, name, kind="first guess in first_guess.options")


def check_dropout(recipe: Recipe, method: str) -> None:
    """Raise a `UsageError` for a method that is idle because nothing is dropped."""
    if METHODS[method].needs_dropout and not recipe.network.dropout:
        raise UsageError(
            f"method {method} compares two passes with other units dropped, but network.dropout is "
            "0, so both say the same: add --set network.dropout=0.2"
        )


def check_made_from(cases: Cases, path: Path, fingerprint: str, *, cure: str) -> None:
    """Raise a `StaleArtifactError` when `path` was not made from these cases."""
    if fingerprint != cases.fingerprint:
        raise StaleArtifactError(
            f"{path} was made from other cases ({fingerprint[:12]}) than {cases.path} "
            f"({cases.fingerprint[:12]}); run `{cure}` again with --force"
        )


def check_same_classes(cases: Cases, checkpoint: Checkpoint) -> None:
    """Raise a `StaleArtifactError` when a checkpoint speaks of other channels or classes."""
    ours, theirs = cases.facts, checkpoint.facts
    if (ours.channel_names, ours.class_names) != (theirs.channel_names, theirs.class_names):
        raise StaleArtifactError(
            f"{checkpoint.path} was trained for channels {theirs.channel_names} and classes "
            f"{theirs.class_names}; {cases.path} has {ours.channel_names} and {ours.class_names}. "
            "Give a checkpoint trained on these cases"
        )


def note_other_training(
    cases: Cases, checkpoint: Checkpoint, grid: PredictionGrid, progress: Progress
) -> bool:
    """Whether a checkpoint was trained on these very cases; a person is told when it was not."""
    if checkpoint.cases_fingerprint == cases.fingerprint:
        return True
    progress.note(
        f"{checkpoint.path} was trained on other cases or another split than {cases.path}: "
        "make sure that none of its training cases is tested here"
    )
    theirs, ours = dict(checkpoint.facts.preprocessing), dict(cases.facts.preprocessing)
    if grid.note is not None:
        progress.note(grid.note)
        del theirs["spacing_mm"], ours["spacing_mm"]
    if theirs != ours:
        progress.note(
            f"its images had another grid or intensity scale ({theirs}) than these ({ours}): "
            "expect worse predictions"
        )
    return False
