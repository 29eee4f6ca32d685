"""`samssl prompt`: the specialist predicts the unlabeled cases and says where to look."""

from pathlib import Path

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.shard import Shard
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.asking import check_strategies, predict_with_uncertainty
from samssl_cli.stages.inputs import check_same_classes, note_other_training
from samssl_cli.stages.prompting import Predicted, prompt_each, seal_prompts
from samssl_cli.stages.run import Work, run_sharded
from samssl_cli.stages.voxel_size import PredictionGrid, prediction_grid


def prompt(
    cases_path: Path,
    checkpoint_path: Path,
    output: Path,
    *,
    recipe: Recipe,
    seed: int,
    device: str,
    force: bool,
    progress: Progress,
    shard: Shard | None = None,
) -> Path | None:
    """Write predictions, uncertainty and prompts for every unlabeled case to `output`.

    Returns:
        The path; None when it is not whole, as other shards have still to do theirs.

    Raises:
        SamsslError: when the inputs, the recipe or the device cannot be used.
        Interrupted: after a signal; the same call resumes.
    """
    check_strategies(recipe.prompt)
    cases, checkpoint = Cases(cases_path), Checkpoint(checkpoint_path)
    check_same_classes(cases, checkpoint)
    grid = prediction_grid(cases, checkpoint)
    note_other_training(cases, checkpoint, grid, progress)
    plan = Plan(
        kind="prompts",
        stage="prompt",
        options={**recipe.options("prompt", "inference"), **grid.options},
        seed=seed,
        inputs={"cases": cases.fingerprint, "specialist": checkpoint.fingerprint},
    )

    def work(work: Work) -> None:
        _prompt(work, cases, checkpoint, grid, recipe, seed=seed, device=device)

    return run_sharded(plan, output, work=work, force=force, progress=progress, shard=shard)


def _prompt(
    work: Work,
    cases: Cases,
    checkpoint: Checkpoint,
    grid: PredictionGrid,
    recipe: Recipe,
    *,
    seed: int,
    device: str,
) -> None:
    from samssl_cli.stages.device import pick_device
    from samssl_cli.stages.specialist import load_specialist, note_untrained_flips

    note_untrained_flips(checkpoint, recipe.inference, work.progress)
    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device, work.progress))

    def predict(case: UnlabeledCase, seed: int) -> Predicted:
        shape = grid.shape(case.geometry)
        return Predicted(
            *predict_with_uncertainty(specialist, case.image, recipe.prompt, shape=shape, seed=seed)
        )

    prompt_each(work, cases, predict, recipe.prompt, seed=seed)

    def seal(work: Work) -> None:
        seal_prompts(work, cases, predictor="specialist", generalists=checkpoint.generalists)

    work.finish(cases.unlabeled, work.draft.root.has, seal)
