"""Where clicks may go, and how to spread them: what the two point strategies share.

Distances are in voxels: a strategy says where in the array, not where in the patient.
"""

import numpy as np
from numpy.typing import NDArray

from samssl_cli.distances import distance_to_false
from samssl_cli.prompts.types import Points

NEAREST_VOXELS = 2
"""A negative click keeps this distance from the object: the outline itself is in doubt."""
SHELL_VOXELS = 4
"""Thickness of the shell of negative clicks: near enough to tell the object from its neighbours."""
_NEAR_VOXELS = 4 * SHELL_VOXELS
"""How far from the object most shells end: it is looked at first."""


def core(probability: NDArray[np.float32], confident: float) -> NDArray[np.bool_]:
    """Mark the voxels that surely belong to the object, or all of it when none is sure.

    Shapes: (I, J, K) float32 to (I, J, K) bool; empty when nothing reaches 0.5.
    """
    sure = probability >= confident
    return sure if sure.any() else probability >= 0.5


def outskirts(probability: NDArray[np.float32], confident: float) -> NDArray[np.bool_]:
    """Mark a shell around the object in which it surely is not.

    The shell starts `NEAREST_VOXELS` from the object, or at the nearest confident background beyond
    that when the border is soft, and is `SHELL_VOXELS` thick. Where no background is that far away,
    it starts at the nearest there is.

    Shapes: (I, J, K) float32 to (I, J, K) bool; empty without an object or a confident background.
    """
    inside = probability >= 0.5
    background = probability <= 1 - confident
    if not inside.any() or not background.any():
        return np.zeros_like(background)
    distance = distance_to_false(~inside, within=_NEAR_VOXELS)
    start = _nearest_background(distance[background])
    if start + SHELL_VOXELS > _NEAR_VOXELS:
        distance = distance_to_false(~inside)
        start = _nearest_background(distance[background])
    shell: NDArray[np.bool_] = (distance >= start) & (distance <= start + SHELL_VOXELS)
    return background & shell


def _nearest_background(distances: NDArray[np.float64]) -> float:
    """Where the shell starts, of the distances of all confident background from the object."""
    far_enough = distances[distances >= NEAREST_VOXELS]
    return float(far_enough.min() if far_enough.size else distances.min())


def depth(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each voxel of a mask to the nearest voxel outside it; 0 outside.

    The border of the volume counts as outside: what is cut off there is not known to be deep.
    Shapes: (I, J, K) bool to (I, J, K) float64, in voxels.
    """
    return distance_to_false(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]


def spread(
    candidates: NDArray[np.int64],
    priority: NDArray[np.floating],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Choose the candidate of highest priority, then always the one farthest from those chosen.

    Ties are decided by `rng`. Fewer than `count` come back only when there are fewer candidates.

    Shapes: candidates (N, 3) int64 and priority (N,); gives (min(count, N), 3) int64, all distinct.
    Source: farthest-point sampling, Gonzalez, Theoretical Computer Science 1985.
    """
    chosen: list[int] = []
    distance = np.full(len(candidates), np.inf)
    score = priority
    for _ in range(min(count, len(candidates))):
        best = int(rng.choice(np.flatnonzero(score == score.max())))
        chosen.append(best)
        steps = candidates - candidates[best]
        distance = np.minimum(distance, np.einsum("ni,ni->n", steps, steps))
        score = distance
    return candidates[chosen]


def clicks(positive: NDArray[np.int64], negative: NDArray[np.int64]) -> Points:
    """Sign (N, 3) positive and (M, 3) negative coordinates; gives N + M points."""
    signs = np.repeat([True, False], [len(positive), len(negative)])
    return Points(np.concatenate([positive, negative]), signs)
