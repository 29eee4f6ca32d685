"""`samssl prompt`: the specialist predicts the unlabeled cases and says where to look."""

from pathlib import Path

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.prompt_set import write_prompts
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.asking import (
    check_strategies,
    place_prompts,
    predict_with_uncertainty,
    seed_of_case,
)
from samssl_cli.stages.inputs import check_same_classes, note_other_training
from samssl_cli.stages.run import Work, run_stage
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
) -> Path:
    """Write predictions, uncertainty and prompts for every unlabeled case to `output`.

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

    return run_stage(plan, output, work=work, force=force, progress=progress)


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

    options = recipe.prompt
    note_untrained_flips(checkpoint, recipe.inference, work.progress)
    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device))
    store = work.draft.root
    for name in work.each_pending(store, cases.unlabeled, "prompting"):
        case = cases.read_unlabeled(name)
        case_seed = seed_of_case(seed, name)
        probability, uncertainty = predict_with_uncertainty(
            specialist, case.image, options, shape=grid.shape(case.geometry), seed=case_seed
        )
        objects = place_prompts(probability, uncertainty, options, seed=case_seed)
        write_prompts(
            store,
            name,
            probability=probability,
            uncertainty=uncertainty,
            objects=objects,
            geometry=case.geometry,
        )
    _seal(work, cases, checkpoint)


def _seal(work: Work, cases: Cases, checkpoint: Checkpoint) -> None:
    from samssl_cli.artifacts.members import read_member_attributes

    counts = {
        name: read_member_attributes(work.draft.root.member(name))["num_objects"]
        for name in cases.unlabeled
    }
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        work.progress.note(
            f"the specialist found nothing in {len(empty)} of {len(counts)} cases, "
            f"which get no prompts: {', '.join(empty[:5])}{' ...' if len(empty) > 5 else ''}"
        )
    work.draft.seal(
        {
            **cases.facts.to_json(),
            "num_objects": sum(counts.values()),
            "cases_without": empty,
            "generalists": checkpoint.generalists,
        }
    )
