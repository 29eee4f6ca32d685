"""What a prediction has to beat, and could reach: a template, and the generalist alone.

For `evaluate` only: the oracle's prompts are placed on a held-out reference. They are scored, and
never written as prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.generalists.combine import Answer, Combined, combine, judge
from samssl_cli.generalists.types import Generalist
from samssl_cli.metrics.template import template_label
from samssl_cli.prompts.types import ObjectPrompts
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.stages.asking import answer_record, ask, embed_once, place_prompts, seed_of_case
from samssl_cli.stages.refining import refine
from samssl_cli.volumes.voxels import likeliest

Label = NDArray[np.uint8]
Probability = NDArray[np.float32]

_MOST_TEMPLATES = 16  # more masks change the vote by a point at most, and each takes its time


@dataclass(frozen=True)
class Asked:
    """What the generalist says of one case, on the preprocessed grid."""

    objects: tuple[ObjectPrompts, ...]
    """Placed on the prediction."""
    alone: Label | None
    """(I, J, K): its answers to them, without the specialist and without a gate."""
    pseudo: Combined | None
    """What `sam-label` would make of them, with both; None for a gate that has to be calibrated."""
    records: list[dict[str, Any]]
    """One for each object, as in `pseudo.zarr`."""
    oracle: Label | None
    """(I, J, K): its answers to prompts on the reference."""


class Template:
    """The labeled masks of a set of cases, stretched onto others."""

    def __init__(self, cases: Cases) -> None:
        """Read the first labeled masks."""
        names = cases.labeled[:_MOST_TEMPLATES]
        self._labels = [cases.read_labeled(name).label for name in names]
        self._num_classes = cases.facts.num_classes

    def label(self, shape: tuple[int, int, int]) -> Label:
        """The majority of the stretched masks, (I, J, K)."""
        return template_label(self._labels, shape, self._num_classes)


def ask_beside(
    generalists: Sequence[Generalist],
    case: UnlabeledCase,
    probability: Probability,
    uncertainty: NDArray[np.float32],
    reference: Label | None,
    recipe: Recipe,
) -> Asked:
    """Ask about the objects of a prediction, then about those of the reference.

    Args:
        generalists: to ask; the image is encoded once by each, and their answers are averaged.
        case: the image.
        probability: (classes, I, J, K) of the prediction.
        uncertainty: (I, J, K) of the prediction.
        reference: (I, J, K) held-out label on the same grid; without one, nothing is said of how
            far the generalist gets alone.
        recipe: its sections prompt and sam_label are used.
    """
    embed = embed_once(generalists, case.image, case.geometry.spacing_mm)
    seed = seed_of_case(0, case.name)
    refined = refine(generalists, embed, probability, uncertainty, recipe, seed=seed)
    alone = oracle = None
    if reference is not None:
        alone = _label_alone(probability, refined.answers, recipe.sam_label)
        true = _one_hot(reference, len(probability))
        objects = place_prompts(true, np.zeros_like(uncertainty), recipe.prompt, seed=seed)
        answers = ask(generalists, embed, objects, _alone(recipe.sam_label))
        oracle = _label_alone(true, answers, recipe.sam_label)
    is_known = recipe.sam_label.gate == "thresholds"
    return Asked(
        objects=refined.objects,
        alone=alone,
        pseudo=refined.combined if is_known else None,
        records=[answer_record(answer) for answer in refined.answers] if is_known else [],
        oracle=oracle,
    )


def _label_alone(probability: Probability, answers: Sequence[Answer], options: SamLabel) -> Label:
    """What the answers say by themselves; `probability` only tells which islands were prompted."""
    alone = _alone(options)
    judged = [judge(answer.prompts, answer.fused, alone) for answer in answers]
    return likeliest(combine(probability, judged, alone).probability)


def prompt_records(objects: Sequence[ObjectPrompts]) -> list[dict[str, Any]]:
    """The unperturbed prompts of each object as JSON values, for people to look at."""
    return [
        {
            "class_index": one.class_index,
            "points": one.sets[0].points.coordinates.tolist(),
            "is_positive": one.sets[0].points.is_positive.tolist(),
            "box": None if (box := one.sets[0].box) is None else [list(box.low), list(box.high)],
        }
        for one in objects
    ]


def _alone(options: SamLabel) -> SamLabel:
    """The generalist's word for everything: no share of the specialist, and no gate."""
    ungated = {"specialist_weight": 0.0, "min_predicted_iou": 0.0, "min_agreement": 0.0}
    return options.model_copy(update=ungated)


def _one_hot(label: Label, num_classes: int) -> Probability:
    return np.stack([label == index for index in range(num_classes)]).astype(np.float32)
