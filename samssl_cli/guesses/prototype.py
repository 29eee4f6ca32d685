"""Prototypes of a generalist's features: what the labeled objects look like to its encoder."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.special import softmax

from samssl_cli.guesses.prototypes import prototypes, similarity, unit
from samssl_cli.guesses.types import Encoder, Guess
from samssl_cli.recipe import Count, Fraction, Positive, PositiveCount, Section, validate
from samssl_cli.volumes.coarse import CoarseGrid
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.labeled_image import LabeledImage
from samssl_cli.volumes.voxels import Image


class Prototype:
    """Compare every place of an image with the places of each class in the labeled cases.

    p(class) = softmax(scale * max over the class's prototypes of cos(feature, prototype))

    The features are centred on their mean over the labeled cases; those of cells that mostly belong
    to a class are clustered, and the middle of each cluster is a prototype. The similarities, not
    the features, are interpolated to the voxels.

    Source: Zhang et al., SemiSAM-O1 (YichiZhang98/SemiSAM-O1, round 0).
    Differs: there a class has one prototype, the mean; features are neither centred nor shifted, so
        that one stands for 16^3 voxels, and the nearest one counts; there is no probability.
    """

    class Options(Section):
        """Options of `prototype`."""

        num_shifts: Literal[1, 2, 4] = Field(
            2,
            description="of the windows along each axis: so many times finer is the grid of "
            "features, and at least its cube as many windows are encoded for each image",
        )
        num_prototypes: PositiveCount = Field(4, description="of each class, at most")
        num_background: PositiveCount = Field(12, description="of the background, at most")
        min_share: Fraction = Field(
            0.5,
            description="of a cell that has to belong to a class to speak for it; where no cell "
            "has as much, the fullest one speaks",
        )
        scale: Positive = Field(20.0, description="of the cosines, before the softmax")
        seed: Count = Field(0, description="of the clustering")

    def __init__(
        self,
        options: Options,
        *,
        labeled: Sequence[LabeledImage],
        num_classes: int,
        encoder: Encoder,
    ) -> None:
        self.options = options
        self._encoder = encoder
        grids = [self._features(case.image, case.spacing_mm) for case in labeled]
        everything = np.concatenate([_cells(grid.values) for grid in grids])
        self._mean = everything.mean(axis=0, dtype=np.float64).astype(np.float32)
        shares = [
            grid.shares(np.stack([case.label == index for index in range(num_classes)]))
            for grid, case in zip(grids, labeled, strict=True)
        ]
        self._classes = self._learn(grids, np.concatenate([_cells(one) for one in shares]))

    @classmethod
    def build(
        cls,
        options: Mapping[str, Any],
        *,
        labeled: Sequence[LabeledImage],
        num_classes: int,
        encoder: Encoder | None,
    ) -> "Prototype":
        """Encode the labeled cases, and learn the prototypes.

        Raises:
            RecipeError: when an option is unknown or out of range.
        """
        chosen = validate(cls.Options, options, where="first_guess.options.prototype")
        assert encoder is not None
        return cls(chosen, labeled=labeled, num_classes=num_classes, encoder=encoder)

    def guess(self, image: Image, spacing_mm: Spacing) -> Guess:
        """Compare every place of an image (C, I, J, K) with the prototypes."""
        i, j, k = image.shape[1:]
        grid = self._features(image, spacing_mm)
        cosines = grid.with_values(similarity(self._centred(grid.values), self._classes))
        scaled = np.float32(self.options.scale) * cosines.on_voxels((i, j, k))
        return Guess(np.asarray(softmax(scaled, axis=0), np.float32))

    def _features(self, image: Image, spacing_mm: Spacing) -> CoarseGrid:
        return self._encoder.dense_features(image, spacing_mm, num_shifts=self.options.num_shifts)

    def _centred(self, values: Image) -> Image:
        return unit(values - self._mean[:, None, None, None])

    def _learn(self, grids: Sequence[CoarseGrid], shares: Image) -> list[Image]:
        """The prototypes (P, D) of every class, from the shares (cells, classes) of all cells."""
        options, rng = self.options, np.random.default_rng(self.options.seed)
        vectors = np.concatenate([_cells(self._centred(grid.values)) for grid in grids])
        speaks = (shares >= np.minimum(options.min_share, shares.max(axis=0))) & (shares > 0)
        speaks[:, 0] &= ~speaks[:, 1:].any(axis=1)  # a small object's cell is mostly background
        counts = [options.num_background, *[options.num_prototypes] * (shares.shape[1] - 1)]
        return [
            prototypes(vectors[mine], count, rng)
            for mine, count in zip(speaks.T, counts, strict=True)
        ]


def _cells(values: Image) -> Image:
    """(D, A, B, C) as one row for each cell, (cells, D)."""
    return values.reshape(len(values), -1).T
