"""Answers to the questions of a fold, and the weights behind them, until an artifact is sealed.

Which check counts is known when all folds are done, so the weights of each are kept until then.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.checkpoint import Tensors, pack_tensors, unpack_tensors
from samssl_cli.artifacts.forms import understanding_what_is_left
from samssl_cli.artifacts.members import find_damage, read_member, write_member
from samssl_cli.errors import DamagedArtifactError
from samssl_cli.generalists.lesson import Trainable
from samssl_cli.training.exam import Exam


class Checks:
    """What a generalist answers after some of the steps of a training."""

    def __init__(self, folder: Path, exam: Exam, generalist: Trainable[Any]) -> None:
        """Keep them in a folder, which is made when the first one is taken."""
        self._folder, self._exam, self._generalist = folder, exam, generalist

    def take(self, step: int, weights: "Tensors | None" = None) -> None:
        """Ask, and keep the Dice of each answer with the weights; a repetition gives the same."""
        path = _path(self._folder, step)
        if find_damage(path):
            arrays: dict[str, NDArray[Any]] = {"dice": self._exam.dice(self._generalist)}
            if weights is not None:
                arrays["weights"] = pack_tensors(weights)
            write_member(path, arrays, {}, staging=self._folder / "staging")

    def read(self, step: int) -> NDArray[np.float32]:
        """(questions,) Dice after so many steps.

        Raises:
            DamagedArtifactError: when there is none for each question.
        """
        path = _path(self._folder, step)
        dice = read_member(path).arrays.get("dice", np.zeros(0))
        with understanding_what_is_left(path):
            if dice.shape != (len(self._exam.questions),):
                raise ValueError(f"Dice of {dice.shape}, of {len(self._exam.questions)} questions")
        return dice


def read_weights(folder: Path, step: int) -> "Tensors | None":
    """The weights of a check; None where it is gone or damaged."""
    try:
        return unpack_tensors(read_member(_path(folder, step)).arrays["weights"])
    except (DamagedArtifactError, KeyError):
        return None


def _path(folder: Path, step: int) -> Path:
    return folder / f"check-{step:08d}"
