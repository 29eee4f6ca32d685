"""The strategy `uncertain-points`: click where an answer would teach the specialist most."""

import numpy as np
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.prompts.placement import clicks, core, outskirts, spread
from samssl_cli.prompts.types import Prompt

MOST_UNCERTAIN = 0.1
"""Share of the candidate voxels, the most uncertain ones, among which the clicks are spread."""


def uncertain_points(
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    options: recipe.Prompt,
    rng: np.random.Generator,
) -> Prompt:
    """Click the most uncertain voxels among those whose side the specialist can still tell.

    The candidates are those of `points`: the confident interior, and the shell of confident
    background. The most uncertain tenth of each is kept; the most uncertain voxel is clicked first,
    then voxels far from it. The sign is the side on which the specialist's argmax puts the voxel.

    Shapes: probability and uncertainty (I, J, K) float32; the points are (N, 3).
    Source: after SemiSAM, Zhang et al., arXiv:2312.06316 (uncertainty chooses the clicks).
    Differs: SemiSAM is described as clicking voxels of low uncertainty, which tell the generalist
        what it sees anyhow; the most uncertain voxels of all would be no better, for with p near
        0.5 the sign of a click is a coin toss. The uncertain end of the confident voxels lies
        between the two. It says most with stochastic uncertainty, which is no function of p.
    """
    inside = core(probability, options.confident)
    beside = outskirts(probability, options.confident)
    return Prompt(
        points=clicks(
            _most_uncertain(inside, uncertainty, options.num_positive, rng),
            _most_uncertain(beside, uncertainty, options.num_negative, rng),
        )
    )


def _most_uncertain(
    mask: NDArray[np.bool_],
    uncertainty: NDArray[np.float32],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Spread `count` clicks over the most uncertain voxels of a mask; gives (N, 3)."""
    candidates = np.argwhere(mask)
    values = uncertainty[mask]  # in the order of argwhere
    num_kept = max(count, round(MOST_UNCERTAIN * len(values)))
    if num_kept < len(values):
        least = np.partition(values, -num_kept)[-num_kept] if num_kept else np.inf
        candidates, values = candidates[values >= least], values[values >= least]
    return spread(candidates, values, count, rng)
