"""`samssl retrain`: the student, from labeled cases and pseudo-labels."""

from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.lineage import merged
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.methods import check_network, norm_for
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe, Retrain
from samssl_cli.stages.inputs import check_dropout, check_made_from, check_option_tables
from samssl_cli.stages.ranks import Part, run_training
from samssl_cli.stages.selecting import check_rankable, select_cases

if TYPE_CHECKING:
    from samssl_cli.methods.method import PseudoLabelTerm


def retrain(
    cases_path: Path,
    pseudo_path: Path,
    output: Path,
    *,
    init_path: Path | None,
    recipe: Recipe,
    seed: int,
    device: str,
    force: bool,
    progress: Progress,
    volumes_gb: float,
    tensorboard: Path | None = None,
) -> Path:
    """Train a student on the true labels and the pseudo-labels, and write its checkpoint.

    Args:
        cases_path: `cases.zarr`.
        pseudo_path: `pseudo.zarr`, made from the same cases.
        output: where the checkpoint goes.
        init_path: a checkpoint to begin with; None begins from random weights.
        recipe: its sections network, augmentation and retrain are used.
        seed: of the weights, the patches and the noise.
        device: where to train.
        force: replace an artifact of another plan.
        progress: where to report.
        volumes_gb: what decoded volumes may take of memory, in GB; the others lie in a temporary
            file, and give the same result.
        tensorboard: a directory for the curves, or None.

    Raises:
        SamsslError: when the inputs, the recipe or the device cannot be used.
        Interrupted: after a signal; the same call resumes.
    """
    check_option_tables(recipe)
    check_network(recipe.retrain.method, recipe.network.name)
    cases, pseudo = Cases(cases_path), PseudoLabels(pseudo_path)
    init = None if init_path is None else Checkpoint(init_path)
    norm = norm_for(recipe.retrain.method) if init is None else init.norm
    recipe = recipe.narrowed().with_norm(norm)
    check_dropout(recipe, recipe.retrain.method)
    check_made_from(cases, pseudo.path, pseudo.cases_fingerprint, cure="samssl sam-label")
    check_rankable(pseudo, recipe.retrain)
    inputs = {"cases": cases.fingerprint, "pseudo": pseudo.fingerprint}
    plan = Plan(
        kind="checkpoint",
        stage="retrain",
        options=recipe.options("network", "augmentation", "retrain"),
        seed=seed,
        inputs=inputs if init is None else {**inputs, "init": init.fingerprint},
    )

    def work(part: Part) -> None:
        _retrain(
            part,
            cases,
            pseudo,
            init,
            recipe=recipe,
            seed=seed,
            volumes_gb=volumes_gb,
            tensorboard=tensorboard,
        )

    return run_training(
        plan,
        output,
        work=work,
        method=recipe.retrain.method,
        device=device,
        force=force,
        progress=progress,
    )


def _retrain(
    part: Part,
    cases: Cases,
    pseudo: PseudoLabels,
    init: Checkpoint | None,
    *,
    recipe: Recipe,
    seed: int,
    volumes_gb: float,
    tensorboard: Path | None,
) -> None:
    from samssl_cli.stages import fitting
    from samssl_cli.training.batches import PatchStreams
    from samssl_cli.training.shelf import Shelf

    selection = select_cases(pseudo, recipe.retrain)
    if selection is not None:
        part.progress.note(selection.in_words())
    method = fitting.build_method(
        cases,
        recipe,
        recipe.retrain,
        seed=seed,
        device=part.device,
        pseudo_term=pseudo_term(recipe.retrain),
        init=init,
    )
    shelf = Shelf(volumes_gb, part.progress.note)
    streams = PatchStreams(
        fitting.labeled_volumes(cases, shelf),
        fitting.pseudo_labeled_volumes(
            cases,
            pseudo,
            pseudo.names if selection is None else list(selection.kept),
            recipe.retrain,
            shelf,
        ),
        options=recipe.retrain,
        augmentation=recipe.augmentation,
        seed=seed,
        device=part.device,
        shelf=shelf,
    )
    fitting.fit_and_seal(
        part,
        streams,
        method,
        cases=cases,
        recipe=recipe,
        options=recipe.retrain,
        seed=seed,
        tensorboard=tensorboard,
        generalists=merged([] if init is None else init.generalists, pseudo.generalists),
        gate=pseudo.gate,
        selection=None if selection is None else selection.to_json(),
    )


def pseudo_term(options: Retrain) -> "PseudoLabelTerm":
    """How strongly the pseudo-labels are followed, with its times counted in steps."""
    from samssl_cli.methods.method import PseudoLabelTerm

    first_step = round(options.sam_warmup_fraction * options.steps)
    return PseudoLabelTerm(
        loss=options.sam_loss,
        weight=options.sam_weight,
        schedule=options.sam_schedule,
        ramp_steps=round(options.sam_ramp_fraction * (options.steps - first_step)),
        first_step=first_step,
    )
