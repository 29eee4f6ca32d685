"""`samssl train-ssl`: the specialist, from labeled and unlabeled cases."""

from pathlib import Path

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.methods import check_network, norm_for
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.inputs import check_dropout, check_option_tables
from samssl_cli.stages.run import Work, run_stage


def train_ssl(
    cases_path: Path,
    output: Path,
    *,
    recipe: Recipe,
    seed: int,
    device: str,
    force: bool,
    progress: Progress,
    tensorboard: Path | None = None,
) -> Path:
    """Train the specialist that the recipe describes, and write its checkpoint to `output`.

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

    def work(work: Work) -> None:
        _train(work, cases, recipe, seed=seed, device=device, tensorboard=tensorboard)

    return run_stage(plan, output, work=work, force=force, progress=progress)


def _train(
    work: Work, cases: Cases, recipe: Recipe, *, seed: int, device: str, tensorboard: Path | None
) -> None:
    from samssl_cli.stages import fitting
    from samssl_cli.stages.device import pick_device
    from samssl_cli.training.batches import PatchStreams

    where = pick_device(device, work.progress)
    options = recipe.train_ssl
    method = fitting.build_method(cases, recipe, options, seed=seed, device=where)
    if not method.learns_from_unlabeled:
        options = options.model_copy(update={"unlabeled_batch": 0})
    streams = PatchStreams(
        fitting.labeled_volumes(cases),
        fitting.unlabeled_volumes(cases) if options.unlabeled_batch else [],
        options=options,
        augmentation=recipe.augmentation,
        seed=seed,
        device=where,
    )
    fitting.fit_and_seal(
        work,
        streams,
        method,
        cases=cases,
        recipe=recipe,
        options=options,
        seed=seed,
        device=where,
        tensorboard=tensorboard,
    )
