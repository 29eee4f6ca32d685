"""A fixed set of simulated prompts on left-out labels, answered before and after."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samssl_cli.prompts.types import Prompt
from samssl_cli.scenes.said import say
from samssl_cli.training.folds import Fold
from samssl_cli.training.labeled_objects import LabeledObject, scene_around
from samssl_cli.training.told import as_prompt
from samssl_cli.volumes.grid import Spacing


class Answering(Protocol):
    """What of a generalist is needed here."""

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> Any:
        """As in `Generalist`."""

    def segment(self, embedding: Any, prompts: Sequence[Prompt]) -> Any:
        """As in `Generalist`."""


@dataclass(frozen=True)
class Question:
    """A prompt about a left-out object."""

    about: LabeledObject
    unit: int
    """Which of the fold's units it belongs to."""
    prompt: Prompt


class Exam:
    """The questions of a fold: the same for the same seed, whatever was learned before."""

    def __init__(self, fold: Fold, *, prompts_per_case: int, seed: int) -> None:
        """Invent the prompts, spread evenly over the objects of each case."""
        self.units = fold.units
        self.questions = [
            question
            for unit, name in enumerate(self.units)
            for question in _questions(
                [one for one in fold.asked if len(self.units) == 1 or one.case == name],
                unit,
                prompts_per_case,
                seed,
            )
        ]

    def dice(self, generalist: Answering) -> NDArray[np.float32]:
        """The Dice of each answer, (questions,), where it counts; each image is embedded once."""
        embedded: tuple[str, Any] = ("", None)
        found = []
        for question in self.questions:
            about = question.about
            if embedded[0] != about.case:
                image = np.asarray(about.image, np.float32)
                embedded = about.case, generalist.embed(image, about.spacing_mm)
            logits = generalist.segment(embedded[1], [question.prompt]).logits[0]
            found.append(_dice(logits > 0, about))
        return np.array(found, np.float32)

    def by_unit(self, dice: NDArray[np.floating]) -> NDArray[np.float64]:
        """The mean over the questions of each unit: (..., questions) to (..., units)."""
        units = np.array([question.unit for question in self.questions])
        means = [dice[..., units == unit].mean(axis=-1) for unit in range(len(self.units))]
        return np.stack(means, axis=-1).astype(np.float64)


def _questions(
    objects: Sequence[LabeledObject], unit: int, number: int, seed: int
) -> list[Question]:
    asked = []
    for index in range(number):
        about = objects[index % len(objects)]
        rng = np.random.default_rng([seed, zlib.crc32(about.case.encode()), index])
        scene, low = scene_around(np.asarray(about.image[0], np.float32), about.mask)
        i, j, k = about.mask.shape
        asked.append(Question(about, unit, as_prompt(say(scene, rng), low, (i, j, k))))
    return asked


def _dice(answer: NDArray[np.bool_], about: LabeledObject) -> float:
    """Dice of the voxels that count, 0-1; of them, some are the object's."""
    truth = about.mask
    if about.counted is not None:
        answer, truth = answer & about.counted, truth & about.counted
    return 2 * int((answer & truth).sum()) / (int(answer.sum()) + int(truth.sum()))
