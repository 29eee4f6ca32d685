"""One answer from several: what a generalist said to all the prompt sets of one object."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from samssl_cli.generalists.types import Proposal


@dataclass(frozen=True)
class Fused:
    """The mean of the answers, and how far they are apart."""

    probability: NDArray[np.float32]
    """(I, J, K) mean of the answers' probabilities."""
    disagreement: NDArray[np.float32]
    """(I, J, K) their standard deviation, 0-0.5; zero for a single answer."""
    predicted_iou: float
    """Mean of the qualities that are known, 0-1; NaN when none is."""


def fuse(proposal: Proposal) -> Fused:
    """Average the answers of a proposal over its prompt sets.

    Probabilities are averaged, not logits: a logit grows without bound, so one very sure set would
    outvote all the others.

    Args:
        proposal: S >= 1 answers.
    """
    probability = expit(proposal.logits)  # (S, I, J, K)
    known = proposal.predicted_iou[np.isfinite(proposal.predicted_iou)]
    return Fused(
        probability=probability.mean(axis=0),
        disagreement=probability.std(axis=0),
        predicted_iou=float(known.mean()) if known.size else float("nan"),
    )
