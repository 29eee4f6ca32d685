"""What `evaluate` can score: a checkpoint, a prompt set, or pseudo-labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.labels import PseudoLabel, PseudoLabels
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.progress import Progress
from samssl_cli.prompts.types import ObjectPrompts
from samssl_cli.recipe import Recipe
from samssl_cli.stages.asking import predict_with_uncertainty, seed_of_case
from samssl_cli.stages.device import pick_device
from samssl_cli.stages.inputs import check_made_from, check_same_classes, note_other_training
from samssl_cli.stages.specialist import load_specialist, note_untrained_flips
from samssl_cli.stages.voxel_size import prediction_grid


@dataclass(frozen=True)
class Look:
    """What is to be scored of one case, on the preprocessed grid."""

    probability: NDArray[np.float32]
    """(classes, I, J, K)."""
    uncertainty: NDArray[np.float32] | None = None
    """(I, J, K); only where the generalist may be asked about the prediction."""
    objects: tuple[ObjectPrompts, ...] | None = None
    """The prompts, of a prompt set."""
    pseudo: PseudoLabel | None = None


@dataclass(frozen=True)
class Source:
    """The cases that can be scored, and how to look at one."""

    names: Sequence[str]
    look: Callable[[UnlabeledCase], Look]


def open_source(
    kind: str,
    path: Path,
    cases: Cases,
    *,
    recipe: Recipe,
    is_asked: bool,
    device: str,
    progress: Progress,
) -> Source:
    """Open what is to be scored; `is_asked` says whether the generalist is to be asked about it.

    Raises:
        StaleArtifactError: when it does not belong to these cases, or knows other classes.
    """
    if kind == "checkpoint":
        return _of_checkpoint(path, cases, recipe, device, progress, is_asked=is_asked)
    return _of_prompts(path, cases) if kind == "prompts" else _of_labels(path, cases)


def _of_checkpoint(
    path: Path,
    cases: Cases,
    recipe: Recipe,
    device: str,
    progress: Progress,
    *,
    is_asked: bool,
) -> Source:
    checkpoint = Checkpoint(path)
    check_same_classes(cases, checkpoint)
    grid = prediction_grid(cases, checkpoint)
    note_other_training(cases, checkpoint, grid, progress)
    note_untrained_flips(checkpoint, recipe.inference, progress)
    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device, progress))

    def look(case: UnlabeledCase) -> Look:
        shape = grid.shape(case.geometry)
        if not is_asked:
            return Look(specialist.predict(case.image, shape=shape))
        seed = seed_of_case(0, case.name)
        return Look(
            *predict_with_uncertainty(specialist, case.image, recipe.prompt, shape=shape, seed=seed)
        )

    roles = {
        "test": cases.test,
        "unlabeled": cases.unlabeled,
        "held-out": cases.unlabeled + cases.test,
    }
    return Source(roles[recipe.evaluate.cases], look)


def _of_prompts(path: Path, cases: Cases) -> Source:
    prompts = PromptSet(path)
    check_made_from(cases, path, prompts.cases_fingerprint, cure="samssl prompt")

    def look(case: UnlabeledCase) -> Look:
        return Look(prompts.probability(case.name), objects=prompts.objects(case.name))

    return Source(prompts.names, look)


def _of_labels(path: Path, cases: Cases) -> Source:
    labels = PseudoLabels(path)
    check_made_from(cases, path, labels.cases_fingerprint, cure="samssl sam-label")

    def look(case: UnlabeledCase) -> Look:
        pseudo = labels.read(case.name)
        return Look(pseudo.confidence.astype(np.float32), pseudo=pseudo)

    return Source(labels.names, look)
