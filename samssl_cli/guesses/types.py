"""What a first guess is made from, and what it gives."""

from dataclasses import dataclass
from typing import Protocol

from samssl_cli.volumes.coarse import CoarseGrid
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.voxels import Image


@dataclass(frozen=True)
class Guess:
    """What is believed of an unlabeled image."""

    probability: Image
    """(classes, I, J, K) float32; each voxel sums to 1."""
    notes: tuple[str, ...] = ()
    """What did not go as planned, to be told."""


class Encoder(Protocol):
    """A model that describes every place of an image with a vector: a generalist's encoder."""

    def dense_features(self, image: Image, spacing_mm: Spacing, *, num_shifts: int) -> CoarseGrid:
        """Features of an image (C, I, J, K), from encodings that are shifted against each other.

        Args:
            image: preprocessed.
            spacing_mm: voxel sizes along I, J and K.
            num_shifts: along each axis; the grid of the features becomes finer by this factor.
        """


class FirstGuess(Protocol):
    """A part that knows the labeled cases and guesses about others."""

    def guess(self, image: Image, spacing_mm: Spacing) -> Guess:
        """Guess the class probabilities of an unlabeled image (C, I, J, K).

        Equal calls give equal bytes.
        """
