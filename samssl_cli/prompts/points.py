"""The strategy `points`: click where the specialist is sure, far from its doubts."""

import numpy as np
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.prompts.placement import clicks, core, depth, outskirts, spread
from samssl_cli.prompts.types import Prompt


def points(
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    options: recipe.Prompt,
    rng: np.random.Generator,
) -> Prompt:
    """Click deep inside the object, and beside it where it surely is not.

    Positive clicks lie in the confident interior: the deepest voxel first, then voxels at least
    half as deep, spread out. Negative clicks lie in a thin shell of confident background.
    There are fewer than asked for only when there are fewer such voxels.

    Shapes: probability and uncertainty (I, J, K) float32; the points are (N, 3).
    Source: RITM, Sofiiuk et al., ICIP 2022, arXiv:2102.06583 (distance-transform clicks).
    Differs: signs and places come from the specialist's probability of this one object, never from
        a reference; RITM clicks the largest error of an earlier answer.
    """
    positive = _deep_inside(core(probability, options.confident), options.num_positive, rng)
    beside = np.argwhere(outskirts(probability, options.confident))
    negative = spread(beside, np.ones(len(beside)), options.num_negative, rng)
    return Prompt(points=clicks(positive, negative))


def _deep_inside(
    mask: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The deepest voxel of a mask, then others at least half as deep (all, when those are few)."""
    depths = depth(mask)
    deep = np.argwhere(mask & (depths >= depths.max() / 2))
    candidates = deep if len(deep) >= count else np.argwhere(mask)
    return spread(candidates, depths[tuple(candidates.T)], count, rng)
