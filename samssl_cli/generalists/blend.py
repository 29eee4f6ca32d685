"""One answer from those of several generalists, where no gate was calibrated."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.combine import dice
from samssl_cli.generalists.fuse import Fused


def blend(answers: Sequence[Fused], mask: NDArray[np.bool_]) -> Fused:
    """Average the answers of G generalists about one object.

    p = sum_k w_k p_k / sum_k w_k, with w_k the predicted IoU where all can say it, else the Dice of
    each with the specialist's mask (I, J, K): qualities of different kinds do not compare. The
    disagreement is the standard deviation over all prompt sets of all, weighted alike. A single
    answer comes back as it is. Where nobody was asked (G = 0) it is the specialist's mask, 0 or 1.

    Source: SemiSAM+ (Zhang et al., arXiv:2502.20749) asks several generalists.
    Differs: they are weighted, there they are equal.
    """
    if not answers:
        return Fused(mask.astype(np.float32), np.zeros(mask.shape, np.float32), float("nan"))
    if len(answers) == 1:
        return answers[0]
    promised = np.array([answer.predicted_iou for answer in answers], np.float64)
    agreements = np.array([dice(answer.probability > 0.5, mask) for answer in answers])
    quality = promised if np.isfinite(promised).all() else agreements
    weights = quality / quality.sum() if quality.sum() > 0 else np.full(len(answers), 1.0)
    weights = (weights / weights.sum()).astype(np.float32)
    mean = _weighted([answer.probability for answer in answers], weights)
    spread = [answer.disagreement**2 + (answer.probability - mean) ** 2 for answer in answers]
    known = promised[np.isfinite(promised)]
    return Fused(
        probability=mean,
        disagreement=np.sqrt(_weighted(spread, weights)),
        predicted_iou=float(known.mean()) if known.size else float("nan"),
    )


def _weighted(
    values: Sequence[NDArray[np.float32]], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    total = np.zeros_like(values[0])
    for value, weight in zip(values, weights, strict=True):
        total += weight * value
    return total
