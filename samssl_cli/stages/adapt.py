"""`samssl adapt`: a generalist learns from the labeled cases, as far as left-out labels say."""

from pathlib import Path

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import DataError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.inputs import check_option_tables
from samssl_cli.stages.run import Work, run_stage
from samssl_cli.stages.which_generalist import (
    Which,
    digest_of,
    which_generalist,
    with_found_weights,
)


def adapt(
    cases_path: Path,
    output: Path,
    *,
    weights: Path | None,
    recipe: Recipe,
    seed: int,
    device: str,
    force: bool,
    progress: Progress,
) -> Path:
    """Fine-tune the generalist of the recipe on the labeled cases; write its weights to `output`.

    No case but the labeled ones is opened. Without `weights`, those in the package or in the
    weights folder are taken.

    Raises:
        SamsslError: when the inputs, the weights or the device cannot be used.
        Interrupted: after a signal; the same call resumes.
    """
    check_option_tables(recipe)
    which = which_generalist(recipe, weights)
    _check_can_be_adapted(which)
    which = with_found_weights(which, progress)
    recipe, digest = which.recipe, digest_of(which)
    cases = Cases(cases_path)
    if not cases.labeled:
        raise DataError(
            f"{cases.path}: there is no labeled case to adapt to; see `samssl preprocess --labeled`"
        )
    plan = Plan(
        kind="generalist",
        stage="adapt",
        options={
            **recipe.options("adapt", "augmentation"),
            "generalist": which.name,
            "options": recipe.sam_label.chosen_options,
            "keeps": ["weights", "weights of each fold"],
        },
        seed=seed,
        inputs={"cases": cases.fingerprint, **digest},
    )

    def work(work: Work) -> None:
        from samssl_cli.stages.adapting import adapt_and_seal

        adapt_and_seal(work, cases, which, digest, seed=seed, device=device)

    return run_stage(plan, output, work=work, force=force, progress=progress)


def _check_can_be_adapted(which: Which) -> None:
    entry = GENERALISTS[which.name]
    if not entry.needs_checkpoint and entry.shipped is None:
        raise UsageError(
            f"generalist {which.name} has no weights that could be adapted; use --generalist with "
            "one that has, see `samssl list generalists`"
        )
    if which.own is not None and which.own.adapted is not None:
        raise UsageError(
            f"{which.own.path} is adapted already; adapt the weights that it was made from"
        )
