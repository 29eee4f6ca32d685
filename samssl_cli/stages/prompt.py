"""`samssl prompt`: the specialist predicts the unlabeled cases and says where to look."""

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.prompt_set import write_prompts
from samssl_cli.progress import Progress
from samssl_cli.prompts import STRATEGIES
from samssl_cli.recipe import Prompt as PromptOptions
from samssl_cli.recipe import Recipe
from samssl_cli.registry import check_name, load
from samssl_cli.stages.inputs import check_same_classes, note_other_training
from samssl_cli.stages.run import Work, run_stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.stages.specialist import Specialist


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
    for name in recipe.prompt.strategies:
        check_name(STRATEGIES, name, kind="strategy")
    cases, checkpoint = Cases(cases_path), Checkpoint(checkpoint_path)
    check_same_classes(cases, checkpoint)
    note_other_training(cases, checkpoint, progress)
    plan = Plan(
        kind="prompts",
        stage="prompt",
        options=recipe.options("prompt", "inference"),
        seed=seed,
        inputs={"cases": cases.fingerprint, "specialist": checkpoint.fingerprint},
    )

    def work(work: Work) -> None:
        _prompt(work, cases, checkpoint, recipe, seed=seed, device=device)

    return run_stage(plan, output, work=work, force=force, progress=progress)


def _prompt(
    work: Work,
    cases: Cases,
    checkpoint: Checkpoint,
    recipe: Recipe,
    *,
    seed: int,
    device: str,
) -> None:
    import numpy as np

    from samssl_cli.prompts.build import build_prompts
    from samssl_cli.stages.device import pick_device
    from samssl_cli.stages.specialist import load_specialist

    options = recipe.prompt
    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device))
    strategies = [load(STRATEGIES, name, kind="strategy") for name in options.strategies]
    store = work.draft.root
    for name in work.each_pending(store, cases.unlabeled, "prompting"):
        case = cases.read_unlabeled(name)
        case_seed = zlib.crc32(f"{seed}/{name}".encode())
        probability, uncertainty = _predict(specialist, case.image, options, seed=case_seed)
        rng = np.random.default_rng(case_seed)
        objects = build_prompts(probability, uncertainty, options, rng, strategies)
        write_prompts(
            store,
            name,
            probability=probability,
            uncertainty=uncertainty,
            objects=objects,
            geometry=case.geometry,
        )
    _seal(work, cases)


def _predict(
    specialist: "Specialist",
    image: "NDArray[np.float16]",
    options: PromptOptions,
    *,
    seed: int,
) -> "tuple[NDArray[np.float32], NDArray[np.float32]]":
    """The class probabilities and the uncertainty of one image."""
    import numpy as np

    from samssl_cli.inference.uncertainty import normalised_entropy, stochastic_probability

    probability = specialist.predict(image)
    if options.uncertainty == "entropy":
        return probability, normalised_entropy(probability)
    mean = stochastic_probability(
        specialist.predict,
        specialist.network,
        image.astype(np.float32),
        num_passes=options.num_passes,
        noise_std=options.input_noise_std,
        seed=seed,
    )
    return probability, normalised_entropy(mean)


def _seal(work: Work, cases: Cases) -> None:
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
        {**cases.facts.to_json(), "num_objects": sum(counts.values()), "cases_without": empty}
    )
