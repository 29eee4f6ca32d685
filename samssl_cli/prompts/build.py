"""From one case's prediction to the prompts of every object in it.

Each object is prompted by itself, from its own probability: nothing carries over from one object,
or one case, to the next.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.prompts.box import bounding_box
from samssl_cli.prompts.components import FoundObject, find_objects
from samssl_cli.prompts.perturb import perturb
from samssl_cli.prompts.placement import NEAREST_VOXELS, SHELL_VOXELS
from samssl_cli.prompts.types import Box, ObjectPrompts, Points, Prompt

Strategy = Callable[
    [NDArray[np.float32], NDArray[np.float32], recipe.Prompt, np.random.Generator], Prompt
]

JUST_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


def build_prompts(
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    options: recipe.Prompt,
    rng: np.random.Generator,
    strategies: Sequence[Strategy],
) -> tuple[ObjectPrompts, ...]:
    """Prompt every object of a prediction: `num_sets` merged prompts each, the first unperturbed.

    Positive clicks always lie in the object as the specialist sees it, negative ones outside it: in
    a perturbed set, a click whose sign the unperturbed prediction contradicts is dropped.

    Args:
        probability: (C, I, J, K) float32, channel 0 is the background.
        uncertainty: (I, J, K) float32 in 0-1.
        options: what counts as an object, and how it is prompted.
        rng: the source of perturbations and of ties.
        strategies: functions of the STRATEGIES table, merged in this order.

    Returns:
        The objects by class, then by size; `()` when the specialist found nothing.
    """
    label = probability.argmax(axis=0)
    objects = []
    for found in find_objects(probability, options):
        window = _neighbourhood(found.mask, options)
        inside = found.mask[window.slices]
        elsewhere = (label[window.slices] > 0) & ~inside
        own = own_probability(probability[:, *window.slices], found.class_index, inside)
        outlines = _outlines(own, elsewhere, options, rng)
        unsure = uncertainty[window.slices]
        prompts = [_ask(strategies, outline, unsure, options, rng) for outline in outlines]
        sets = [_placed(_honest(prompt, inside), window.low, label.shape) for prompt in prompts]
        objects.append(_object_prompts(found, sets))
    return tuple(objects)


def own_probability(
    probability: NDArray[np.float32], class_index: int, inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Give one object's probability against its strongest rival, p / (p + max of the others).

    It is at least 0.5 exactly on the object, also where three or more classes share the probability
    and none reaches one half; with two classes it is p itself. Other objects, of the same class
    too, are kept just below 0.5: no click inside this object can fall into them, and no click
    outside it calls an island of its own class background.

    Shapes: probability (C, I, J, K) float32, inside (I, J, K) bool; gives (I, J, K) float32.
    """
    own = probability[class_index]
    total = own + np.delete(probability, class_index, axis=0).max(axis=0)
    share = np.divide(own, total, out=np.zeros_like(own), where=total > 0)
    own_share: NDArray[np.float32] = np.where(inside, share, np.minimum(share, JUST_BELOW_HALF))
    return own_share


def _neighbourhood(mask: NDArray[np.bool_], options: recipe.Prompt) -> Box:
    """The part of the volume that an object's prompts can reach; the rest costs only time."""
    tight = bounding_box(mask, 0)
    sides = [high - low for low, high in zip(tight.low, tight.high, strict=True)]
    moved = int(np.ceil(2 * options.perturbation * min(sides)))  # three sigma of half the side
    return bounding_box(
        mask, options.box_margin_voxels + 2 * (NEAREST_VOXELS + SHELL_VOXELS) + moved
    )


def _outlines(
    own: NDArray[np.float32],
    elsewhere: NDArray[np.bool_],
    options: recipe.Prompt,
    rng: np.random.Generator,
) -> list[NDArray[np.float32]]:
    """The object as it is, then perturbed; never into another object, and never to nothing."""
    outlines = [own]
    for _ in range(options.num_sets - 1):
        moved = np.where(elsewhere, own, perturb(own, options, rng))
        outlines.append(moved if (moved >= 0.5).any() else own)
    return outlines


def _ask(
    strategies: Sequence[Strategy],
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    options: recipe.Prompt,
    rng: np.random.Generator,
) -> Prompt:
    """What all strategies say about one outline of one object."""
    prompt = Prompt()
    for strategy in strategies:
        prompt = prompt.merged_with(strategy(probability, uncertainty, options, rng))
    return prompt


def _honest(prompt: Prompt, inside: NDArray[np.bool_]) -> Prompt:
    """Drop the clicks whose sign contradicts the specialist's own mask of the object."""
    clicked = prompt.points
    keep = inside[tuple(clicked.coordinates.T)] == clicked.is_positive
    points = Points(clicked.coordinates[keep], clicked.is_positive[keep])
    return Prompt(points=points, box=prompt.box, mask=prompt.mask)


def _placed(prompt: Prompt, corner: tuple[int, int, int], shape: tuple[int, ...]) -> Prompt:
    """Move a prompt from a window that starts at `corner` to the volume of this shape."""
    points = Points(prompt.points.coordinates + np.array(corner), prompt.points.is_positive)
    return Prompt(
        points=points,
        box=prompt.box and _moved(prompt.box, corner),
        mask=None if prompt.mask is None else _pasted(prompt.mask, corner, shape),
    )


def _moved(box: Box, corner: tuple[int, int, int]) -> Box:
    i, j, k = corner
    return Box(
        (box.low[0] + i, box.low[1] + j, box.low[2] + k),
        (box.high[0] + i, box.high[1] + j, box.high[2] + k),
    )


def _pasted(
    mask: NDArray[np.bool_], corner: tuple[int, int, int], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    whole = np.zeros(shape, bool)
    i, j, k = (slice(c, c + n) for c, n in zip(corner, mask.shape, strict=True))
    whole[i, j, k] = mask
    return whole


def _object_prompts(found: FoundObject, sets: Sequence[Prompt]) -> ObjectPrompts:
    return ObjectPrompts(
        class_index=found.class_index,
        component=found.component,
        mask=found.mask,
        sets=tuple(sets),
    )
