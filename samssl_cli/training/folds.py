"""Which labels are left out while others are learned from, and what their answers say.

Only labeled cases are ever here: the number of steps is chosen by cross-validation over them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samssl_cli.training.labeled_objects import LabeledObject
from samssl_cli.volumes.half import Half

_SIDES: tuple[Literal["high"], Literal["low"]] = ("high", "low")


@dataclass(frozen=True)
class Fold:
    """A part of the labels that is left out, and the rest."""

    left_out: str
    """For people: the case, or the half of the only one."""
    training: tuple[LabeledObject, ...]
    asked: tuple[LabeledObject, ...]
    """Asked about, and never learned from where they are scored."""
    half: Half | None = None
    """The part of the only case that is left out; None: whole cases are."""

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that are left out, or of which a half is."""
        return tuple(dict.fromkeys(one.case for one in self.asked))

    @property
    def units(self) -> tuple[str, ...]:
        """What is left out, as units that count as one each: cases, or a half of the only one."""
        return self.cases if self.half is None else (self.left_out,)


def make_folds(objects: Sequence[LabeledObject], number: int) -> tuple[Fold, ...]:
    """Leave out each case once, in at most `number` folds; of a single case, each half once.

    A case without any object is in no fold. Fewer than two folds, when even halves have nothing
    that could be left out: nothing can be measured then.
    """
    cases = list(dict.fromkeys(one.case for one in objects))
    if len(cases) == 1:
        return _halves(objects)
    number = min(number, len(cases))
    folds = []
    for index in range(number) if len(cases) > 1 else ():
        out = cases[index::number]
        folds.append(
            Fold(
                left_out=", ".join(out),
                training=tuple(one for one in objects if one.case not in out),
                asked=tuple(one for one in objects if one.case in out),
            )
        )
    return tuple(folds)


def _halves(objects: Sequence[LabeledObject]) -> tuple[Fold, ...]:
    """Both halves of the only case, cut where as many labeled voxels lie on either side.

    Across the axis along which the labeled voxels reach farthest, in mm. The image and the prompts
    are whole; the loss counts one half alone, the score the other.
    """
    labeled = np.any([one.mask for one in objects], axis=0)
    axis, plane = _cut(labeled, np.array(objects[0].spacing_mm))
    folds = []
    for side in _SIDES:
        half = Half(axis, plane, side)
        out = half.mask(labeled.shape)
        training = tuple(o.within(~out) for o in objects if (o.mask & ~out).any())
        asked = tuple(o.within(out) for o in objects if (o.mask & out).any())
        if training and asked:
            name = f"{objects[0].case}: {side} half of {'ijk'[axis]}, from voxel {plane}"
            folds.append(Fold(name, training, asked, half))
    return tuple(folds)


def _cut(labeled: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> tuple[int, int]:
    """The longest axis, and the first voxel of the high half."""
    at = np.argwhere(labeled)
    axis = int(np.argmax((at.max(axis=0) - at.min(axis=0) + 1) * spacing_mm))
    places = np.sort(at[:, axis])
    return axis, int(places[len(places) // 2])


@dataclass(frozen=True)
class Choice:
    """How many steps the left-out labels speak for."""

    steps: int
    """0: they do not speak for any."""
    best: int
    """The check with the highest mean Dice; `steps` unless its gain is too small."""
    before: float
    """Mean Dice without adaptation, over the units."""
    after: float
    """Mean Dice after `best` steps."""
    standard_error: float
    """Of the mean gain, over the units."""

    @property
    def gain(self) -> float:
        """The mean gain of `best` in Dice."""
        return self.after - self.before


def choose_steps(steps: Sequence[int], dice: NDArray[np.floating]) -> Choice:
    """The number of steps with the highest mean Dice, if its gain exceeds its standard error.

    Args:
        steps: of each check, rising, the first one 0.
        dice: (checks, units) out-of-fold Dice; units are cases, or the halves of a single one.

    Returns:
        With `steps` 0 where the gain is not larger than the standard error of its mean over the
        units, or where there are fewer than two units. Of equal means the fewest steps win.
    """
    assert steps[0] == 0, steps
    means = dice.mean(axis=1)
    best = int(np.argmax(means))
    gains = dice[best] - dice[0]
    count = len(gains)
    error = float(gains.std(ddof=1) / np.sqrt(count)) if count > 1 else float("inf")
    is_better = best > 0 and float(gains.mean()) > error
    return Choice(
        steps=steps[best] if is_better else 0,
        best=steps[best],
        before=float(means[0]),
        after=float(means[best]),
        standard_error=error,
    )
