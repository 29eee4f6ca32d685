"""What a specialist would have said of a labeled case, had it not been trained on it.

The specialist knows the labeled cases by heart; its own prediction there is too good to tell when
the generalist is the better of the two. So its mistakes are drawn: see `scenes.mistakes`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit

from samssl_cli.gate.features import band, depth, entropy
from samssl_cli.generalists.combine import dice
from samssl_cli.prompts.box import bounding_box
from samssl_cli.prompts.components import FoundObject
from samssl_cli.prompts.perturb import signed_distance
from samssl_cli.scenes.fields import resized
from samssl_cli.scenes.mistakes import draw_mistaken
from samssl_cli.volumes.grid import Spacing

Probability = NDArray[np.float32]

_LEAST_DICE = 0.35  # with the truth; a worse mask does not say what is meant
_TRIES = 4
_LARGEST_SIDE = 64  # voxels; larger windows are drawn on a coarser grid, for mistakes are smooth
_LEAST_MARGIN_VOXELS = 8
_LARGEST_LOGIT = 12.0


def simulate(
    image: NDArray[np.floating],
    objects: Sequence[FoundObject],
    spacing_mm: Spacing,
    *,
    num_classes: int,
    severity: float,
    softnesses: Sequence[float],
    rng: np.random.Generator,
) -> Probability:
    """Draw the prediction of a specialist that knows these objects, and is mistaken about each.

    Args:
        image: (C, I, J, K); the first channel is what mistakes go by.
        objects: the true ones.
        spacing_mm: voxel sizes.
        num_classes: background included.
        severity: 0 is the truth, 1 about the worst that is still worth prompting with.
        softnesses: mean entropies around the outlines of real predictions, of which one is drawn
            for each object; empty leaves the outlines as they come.
        rng: the source of everything random.

    Returns:
        (num_classes, I, J, K) summing to 1.
    """
    foreground = np.zeros((num_classes - 1, *image.shape[1:]), np.float32)
    for found in objects:
        sides = np.diff(_frame(found.mask, 0), axis=0)[0]
        low, high = _frame(found.mask, max(_LEAST_MARGIN_VOXELS, int(sides.max()) // 2))
        i, j, k = (slice(a, b) for a, b in zip(low, high, strict=True))
        truth = found.mask[i, j, k]
        drawn = _drawn(image[0, i, j, k].astype(np.float32), truth, severity, rng)
        if softnesses:
            wanted = softnesses[int(rng.integers(len(softnesses)))]
            drawn = softened(drawn, spacing_mm, wanted)
        part = foreground[found.class_index - 1, i, j, k]
        np.maximum(part, drawn, out=part)
    foreground /= np.maximum(foreground.sum(axis=0), 1)
    background = 1 - foreground.sum(axis=0, keepdims=True)
    return np.concatenate([background, foreground]).clip(0, 1)


def softened(probability: Probability, spacing_mm: Spacing, wanted: float) -> Probability:
    """The same outline (I, J, K), as blurred as is wanted: a factor on the logits, by bisection.

    Args:
        probability: of an object; without a voxel above one half it comes back as it is.
        spacing_mm: voxel sizes.
        wanted: `softness`, 0-1.
    """
    mask = probability > 0.5
    if not mask.any() or mask.all():
        return probability
    evidence = logit(probability.astype(np.float64)).clip(-_LARGEST_LOGIT, _LARGEST_LOGIT)
    around = evidence[band(mask, depth(mask, spacing_mm))]
    low, high = -4.0, 4.0  # of the logarithm of the factor
    for _ in range(12):
        middle = (low + high) / 2
        is_too_soft = entropy(_sigmoid(around * np.exp(middle))).mean() > wanted
        low, high = (middle, high) if is_too_soft else (low, middle)
    return _sigmoid(evidence * np.exp((low + high) / 2))


def _drawn(
    image: Probability, truth: NDArray[np.bool_], severity: float, rng: np.random.Generator
) -> Probability:
    """The first draw that still says what is meant, or the last."""
    step = -(-max(truth.shape) // _LARGEST_SIDE)
    coarse = (slice(None, None, step),) * 3
    below = signed_distance(truth)
    if not (below[coarse] > 0).any():  # too thin for the coarse grid
        step, coarse = 1, (slice(None),) * 3
    known = torch.from_numpy(below[coarse].astype(np.float32) / step)
    seen = torch.from_numpy(np.ascontiguousarray(image[coarse]))
    drawn = truth.astype(np.float32)
    for _ in range(_TRIES):
        fine = draw_mistaken(known, seen, severity, rng)
        if step > 1:
            evidence = fine.logit(eps=1e-6)
            i, j, k = truth.shape
            fine = resized(evidence[None], (i, j, k))[0].sigmoid()
        drawn = np.asarray(fine.numpy(), np.float32)
        if dice(drawn > 0.5, truth) > _LEAST_DICE:
            break
    return drawn


def _frame(mask: NDArray[np.bool_], margin_voxels: int) -> NDArray[np.int64]:
    box = bounding_box(mask, margin_voxels)
    return np.array([box.low, box.high])


def _sigmoid(evidence: NDArray[np.float64]) -> Probability:
    return np.asarray(expit(evidence), np.float32)
