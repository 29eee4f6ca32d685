"""What every generalist offers and returns.

A generalist alone knows its model's axis order, input size, intensity range and threshold; what it
takes and returns is in voxels of the preprocessed RAS+ volume.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.prompts.types import Prompt
from samssl_cli.volumes.coarse import CoarseGrid
from samssl_cli.volumes.grid import Spacing


@dataclass(frozen=True)
class Proposal:
    """A generalist's answers to S prompts for one object."""

    logits: NDArray[np.float32]
    """(S, I, J, K): above 0 means inside, and sigmoid(logits) is the probability."""
    predicted_iou: NDArray[np.float32]
    """(S,) in 0-1: how good the generalist believes each answer to be; NaN when it cannot say."""

    def __post_init__(self) -> None:
        """Check that there is one quality for each answer."""
        assert self.logits.ndim == 4, self.logits.shape
        assert self.predicted_iou.shape == self.logits.shape[:1], self.predicted_iou.shape


class Generalist(Protocol):
    """A promptable segmentation model."""

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> Any:
        """Encode one image (C, I, J, K), once; the result is only for `segment`.

        Args:
            image: preprocessed, as it is in `cases.zarr`.
            spacing_mm: voxel sizes along I, J and K, for a model that expects certain ones.
        """

    def segment(self, embedding: Any, prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts about one object, with what `embed` returned for its image."""


@runtime_checkable
class Remembering(Protocol):
    """A generalist whose embeddings are worth keeping on disk, because they take long to compute.

    Its answers have to be the same, to the bit, with a cache that is empty, half-filled or full,
    and without one.
    """

    def remember_in(self, cache: EmbeddingCache, *, weights_sha256: str, device: str) -> None:
        """Look embeddings up in a cache from now on, and keep there what has to be computed."""


@runtime_checkable
class Featured(Protocol):
    """A generalist whose encoder describes every place of an image with a vector."""

    def dense_features(
        self, image: NDArray[np.float32], spacing_mm: Spacing, *, num_shifts: int
    ) -> CoarseGrid:
        """Features of an image (C, I, J, K), on a grid that `num_shifts` makes finer.

        Args:
            image: preprocessed, as it is in `cases.zarr`.
            spacing_mm: voxel sizes along I, J and K.
            num_shifts: along each axis, how many encodings are interleaved.
        """


@runtime_checkable
class Adaptable(Protocol):
    """A generalist whose weights can be changed on the labeled cases, by `samssl adapt`."""

    def take_weights(self, tensors: Mapping[str, NDArray[Any]], *, path: Path) -> None:
        """Put the weights of a `generalist.zarr` in place of its own, or of some of them.

        Raises:
            WeightsError: when they are not finite, or not its own; `path` is named.
        """
