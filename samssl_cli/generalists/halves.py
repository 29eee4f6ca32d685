"""One answer from two sets of weights, each asked about the half that it did not learn from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.types import Generalist, Proposal
from samssl_cli.prompts.types import Prompt
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.half import Half


class ByHalves:
    """Ask two generalists about a whole image, and take of each what it says of its half."""

    def __init__(self, first: Generalist, second: Generalist, half: Half) -> None:
        """Take two of the same kind.

        Args:
            first: counts in `half`.
            second: counts in the rest.
            half: of the images that they are asked about.
        """
        self._both = first, second
        self._half = half

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> tuple[Any, Any]:
        """Encode an image (C, I, J, K) with both."""
        first, second = (one.embed(image, spacing_mm) for one in self._both)
        return first, second

    def segment(self, embedding: tuple[Any, Any], prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts; the predicted IoU is the mean of both."""
        first, second = (
            one.segment(seen, prompts) for one, seen in zip(self._both, embedding, strict=True)
        )
        mean_iou = (first.predicted_iou + second.predicted_iou) / 2
        is_firsts = self._half.mask(first.logits.shape[1:])
        return Proposal(
            logits=np.where(is_firsts, first.logits, second.logits),
            predicted_iou=mean_iou.astype(np.float32),
        )
