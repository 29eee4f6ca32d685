"""From the specialist's prediction and the generalist's answers to one pseudo-label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli.generalists.fuse import Fused
from samssl_cli.prompts.types import ObjectPrompts
from samssl_cli.recipe import SamLabel

_HALO_VOXELS = 5  # how far an object's own surroundings reach beyond its mask


@dataclass(frozen=True)
class Answer:
    """What the generalist said about one object, and whether it is believed."""

    prompts: ObjectPrompts
    fused: Fused
    agreement: float
    """Dice of the generalist's mask with the specialist's, 0-1."""
    is_accepted: bool


@dataclass(frozen=True)
class Combined:
    """One pseudo-label."""

    probability: NDArray[np.float32]
    """(classes, I, J, K), summing to 1 over the classes."""
    acceptance: NDArray[np.bool_]
    """(I, J, K) false around the objects whose answer was rejected, and in a case without any."""


def judge(prompts: ObjectPrompts, fused: Fused, options: SamLabel) -> Answer:
    """Believe an answer that promises enough and agrees enough with the specialist.

    A generalist that cannot say how good it is (predicted IoU NaN) is judged by agreement alone.
    """
    agreement = dice(fused.probability > 0.5, prompts.mask)
    promises_enough = not fused.predicted_iou < options.min_predicted_iou
    agrees_enough = agreement >= options.min_agreement
    return Answer(prompts, fused, agreement, promises_enough and agrees_enough)


def combine(
    specialist: NDArray[np.float32], answers: Sequence[Answer], options: SamLabel
) -> Combined:
    """Mix specialist and generalist class by class, and normalise.

    p_c = w * s_c + (1 - w) * g_c, with s the specialist without the islands that were not prompted,
    g the largest answer among the objects of the class, and w `specialist_weight`. Where an answer
    was rejected the specialist stands in for it, and nobody is to learn from there.

    Shapes: specialist (classes, I, J, K) float32 in 0-1.
    """
    weight = options.specialist_weight
    foreground = np.zeros_like(specialist[1:])
    acceptance = np.full(specialist.shape[1:], bool(answers))
    for index in range(1, len(specialist)):
        own = [answer for answer in answers if answer.prompts.class_index == index]
        kept = _without_islands(specialist, index, own)
        said = np.zeros_like(kept)
        for answer in own:
            said = np.maximum(said, _said(answer, kept))
        foreground[index - 1] = weight * kept + (1 - weight) * said
    for answer in answers:
        if not answer.is_accepted:
            acceptance &= ~_surroundings(answer.prompts.mask | (answer.fused.probability > 0.5))
    return Combined(_normalised(foreground), acceptance)


def _said(answer: Answer, specialist: NDArray[np.float32]) -> NDArray[np.float32]:
    """The answer's probability, or the specialist's around an object whose answer was rejected."""
    if answer.is_accepted:
        return answer.fused.probability
    return np.where(_surroundings(answer.prompts.mask), specialist, np.float32(0))


def _without_islands(
    specialist: NDArray[np.float32], index: int, answers: Sequence[Answer]
) -> NDArray[np.float32]:
    """The specialist's probability of a class, less the islands too small to be prompted."""
    is_island = specialist.argmax(axis=0) == index
    for answer in answers:
        is_island &= ~answer.prompts.mask
    return np.where(is_island, np.float32(0), specialist[index])


def _normalised(foreground: NDArray[np.float32]) -> NDArray[np.float32]:
    total = foreground.sum(axis=0)
    foreground = foreground / np.maximum(total, 1)
    background = 1 - foreground.sum(axis=0, keepdims=True)
    return np.concatenate([background, foreground]).clip(0, 1)


def _surroundings(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    grown: NDArray[np.bool_] = ndimage.binary_dilation(mask, iterations=_HALO_VOXELS)
    return grown


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Overlap of two masks, 0-1; 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
