"""`samssl train-ssl`: the specialist, from labeled and unlabeled cases."""

from pathlib import Path

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.methods import check_network, norm_for
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.inputs import check_dropout, check_option_tables
from samssl_cli.stages.ranks import Part, run_training


def train_ssl(
    cases_path: Path,
    output: Path,
    *,
    recipe: Recipe,
    seed: int,
    device: str,
    force: bool,
    progress: Progress,
    volumes_gb: float,
    tensorboard: Path | None = None,
) -> Path:
    """Train the specialist that the recipe describes, and write its checkpoint to `output`.

    Args:
        cases_path: `cases.zarr`.
        output: where the checkpoint goes.
        recipe: its sections network, augmentation and train_ssl are used.
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
    recipe = recipe.narrowed().with_norm(norm_for(recipe.train_ssl.method))
    check_network(recipe.train_ssl.method, recipe.network.name)
    check_dropout(recipe, recipe.train_ssl.method)
    cases = Cases(cases_path)
    plan = Plan(
        kind="checkpoint",
        stage="train-ssl",
        options=recipe.options("network", "augmentation", "train_ssl"),
        seed=seed,
        inputs={"cases": cases.fingerprint},
    )

    def work(part: Part) -> None:
        _train(part, cases, recipe, seed=seed, volumes_gb=volumes_gb, tensorboard=tensorboard)

    return run_training(
        plan,
        output,
        work=work,
        method=recipe.train_ssl.method,
        device=device,
        force=force,
        progress=progress,
    )


def _train(
    part: Part,
    cases: Cases,
    recipe: Recipe,
    *,
    seed: int,
    volumes_gb: float,
    tensorboard: Path | None,
) -> None:
    from samssl_cli.stages import fitting
    from samssl_cli.training.batches import PatchStreams
    from samssl_cli.training.shelf import Shelf

    options = recipe.train_ssl
    method = fitting.build_method(cases, recipe, options, seed=seed, device=part.device)
    if not method.learns_from_unlabeled:
        options = options.model_copy(update={"unlabeled_batch": 0})
    shelf = Shelf(volumes_gb, part.progress.note)
    streams = PatchStreams(
        fitting.labeled_volumes(cases, shelf),
        fitting.unlabeled_volumes(cases, shelf) if options.unlabeled_batch else [],
        options=options,
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
        options=options,
        seed=seed,
        tensorboard=tensorboard,
    )
