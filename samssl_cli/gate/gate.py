"""The gate: how far the generalists are believed, voxel by voxel and object by object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.gate.features import features
from samssl_cli.gate.logistic import predict_logistic
from samssl_cli.gate.view import Probability, View
from samssl_cli.generalists.combine import dice
from samssl_cli.prompts.types import ObjectPrompts


@dataclass(frozen=True)
class Gate:
    """What was learned on the labeled cases."""

    coefficients: NDArray[np.float64]
    """(F + 1,) one for each of `features`, then the intercept."""
    least_agreement: float
    """Mean Dice of the answers with the specialist below which nothing was learned."""
    least_kept: float
    """Dice of the gated mask with the specialist's below which nothing was learned."""
    volumes_mm3: Mapping[int, tuple[float, float]]
    """Class to the smallest and the largest object that is believed."""
    is_open: bool
    """False when the generalists did not help on the labeled cases."""

    def probability(self, view: View) -> Probability:
        """The calibrated probability that a voxel is the object, on the window (I, J, K)."""
        return predict_logistic(self.coefficients, features(view))

    def lets_pass(self, view: View, probability: Probability) -> bool:
        """Whether an object lies within what was learned; `probability` is that of the gate."""
        smallest, largest = self.volumes_mm3.get(view.class_index, (np.inf, 0.0))
        return bool(
            self.is_open
            and smallest <= view.volume_mm3 <= largest
            and view.agreements.mean() >= self.least_agreement
            and dice(probability > 0.5, view.mask) >= self.least_kept
        )


CLOSED = Gate(np.zeros(1), 1.0, 1.0, {}, is_open=False)
"""The specialist alone."""


@dataclass(frozen=True)
class Gated:
    """The pseudo-label of one case."""

    probability: Probability
    """(classes, I, J, K), summing to 1."""
    passed: tuple[bool, ...]
    """For each object, whether the generalists' answers count."""


def mix(
    specialist: Probability,
    objects: Sequence[ObjectPrompts],
    views: Sequence[View],
    gate: Gate,
) -> Gated:
    """Put the gated probability in the place of the specialist's, around each object that passes.

    Elsewhere the specialist's probability stays as it is, to the bit, but for the islands that were
    too small to be prompted: they become background. Of several objects of a class the largest
    probability counts.

    Args:
        specialist: (classes, I, J, K).
        objects: those of the case.
        views: one for each.
        gate: what to go by.
    """
    mixed = without_islands(specialist, objects)
    answers = [gate.probability(view) if gate.is_open else view.specialist for view in views]
    passed = tuple(gate.lets_pass(*pair) for pair in zip(views, answers, strict=True))
    said = np.full_like(mixed[1:], np.nan)
    for view, answer, counts in zip(views, answers, passed, strict=True):
        if counts:
            part = said[view.class_index - 1, *view.window.slices]
            np.fmax(part, answer, out=part)
    for prompted, counts in zip(objects, passed, strict=True):
        if not counts:  # an object that does not pass stays, also in the window of one that does
            part = said[prompted.class_index - 1]
            stays = prompted.mask & np.isfinite(part)
            part[stays] = np.fmax(part, mixed[prompted.class_index])[stays]
    is_said = np.isfinite(said)
    mixed[1:] = np.where(is_said, said, mixed[1:])
    return Gated(_normalised_where(mixed, np.logical_or.reduce(is_said)), passed)


def without_islands(specialist: Probability, objects: Sequence[ObjectPrompts]) -> Probability:
    """A copy of (classes, I, J, K) in which what was not prompted is background."""
    label = specialist.argmax(axis=0)
    kept = specialist.copy()
    for index in range(1, len(specialist)):
        island = label == index
        for prompted in objects:
            if prompted.class_index == index:
                island &= ~prompted.mask
        kept[0][island] += kept[index][island]
        kept[index][island] = 0
    return kept


def _normalised_where(probability: Probability, where: NDArray[np.bool_]) -> Probability:
    """Make (classes, I, J, K) sum to 1 there, the background taking what is left."""
    foreground = probability[1:, where]
    foreground = foreground / np.maximum(foreground.sum(axis=0), 1)
    probability[1:, where] = foreground
    probability[0, where] = (1 - foreground.sum(axis=0)).clip(0, 1)
    return probability
