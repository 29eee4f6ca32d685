"""Which pseudo-labeled cases are learned from: the most reliable ones, without any label."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def foreground_confidence(
    label: NDArray[np.uint8], confidence: NDArray[np.float16], acceptance: NDArray[np.uint8]
) -> float:
    """How sure a pseudo-label is of what it calls an object: a mean of probabilities, 0-1.

    The mean of the likeliest class's probability over the voxels of the foreground that would be
    learned from. The background is left out: most of it is certain, whatever the object is. 0 where
    there is no such voxel.

    Shapes: label and acceptance (I, J, K), confidence (classes, I, J, K).
    """
    is_counted = (label > 0) & (acceptance > 0)
    if not is_counted.any():
        return 0.0
    return float(confidence[:, is_counted].max(axis=0).mean(dtype=np.float64))


def mean_agreement(objects: Sequence[Mapping[str, Any]]) -> float:
    """The mean Dice of specialist and generalist over the accepted objects, 0-1; 0 without any.

    Args:
        objects: records of `pseudo.zarr`, with `agreement` and `is_accepted`.
    """
    accepted = [float(one["agreement"]) for one in objects if one["is_accepted"]]
    return sum(accepted) / len(accepted) if accepted else 0.0


def most_reliable(scores: Mapping[str, float], fraction: float) -> list[str]:
    """The names with the highest scores, best first; of equal ones, the first by name.

    Args:
        scores: name to score, at least one.
        fraction: of the names to be kept, rounded; one at least.
    """
    ranked = sorted(scores, key=lambda name: (-scores[name], name))
    return ranked[: max(1, round(fraction * len(ranked)))]
