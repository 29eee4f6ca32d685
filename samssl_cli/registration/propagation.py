"""Labeled volumes laid over an image, their labels carried with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from samssl_cli.errors import UsageError
from samssl_cli.recipe import Count, NonNegative, Positive, PositiveCount, Section
from samssl_cli.registration.alignment import Pair, align, within
from samssl_cli.registration.soft_labels import FAR_MM, probabilities, signed_distances
from samssl_cli.registration.transforms import one_thread
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.labeled_image import LabeledImage
from samssl_cli.volumes.voxels import Image

_LEAST_VOTE = 1e-3  # so that where no template matches, all vote alike


@dataclass(frozen=True)
class Copy:
    """One labeled case, laid over an image."""

    probability: Image
    """(classes, I, J, K)."""
    correlation: Image
    """(I, J, K): how well its image matches there, -1 to 1."""
    notes: tuple[str, ...]
    """What failed on the way."""


class PropagationOptions(Section):
    """How labeled volumes are registered, and how their labels vote."""

    channel: Count = Field(0, description="of the images; the one that is registered")
    max_voxels: PositiveCount = Field(
        100_000, description="larger volumes are registered on as many, larger voxels"
    )
    focus_mm: NonNegative = Field(
        15.0, description="what is near a labeled object: the distance to it"
    )
    affine_iterations: PositiveCount = Field(60, description="at each of three resolutions")
    deformable_iterations: Count = Field(
        40,
        description="at the coarse resolutions, half as many at the finest; 0: affine alone",
    )
    deformation_smoothing: Positive = Field(
        1.5, description="standard deviation, in voxels of the registration, after each step"
    )
    window_mm: Positive = Field(5.0, description="of the local correlation, standard deviation")
    vote_power: NonNegative = Field(
        4.0, description="of the correlation, as the weight of a vote; 0: all weigh alike"
    )
    softness_mm: Positive = Field(
        1.5, description="how unsure a carried border is: so far from it, 0.88 instead of 0.5"
    )


class Propagation:
    """Register the labeled volumes to an image, and let their labels vote.

    Each is stretched onto the image, corner to corner; an affine transform is fitted to all of it,
    then to what is near the labeled objects, then a displacement of every voxel. A step that fails,
    or after which the images match less well, is left out. At each voxel the labels are averaged,
    weighted with the local correlation of the images to a power. What is carried is the distance
    to each class's border, so that borders are soft and thin objects stay as thick as they are.

    Source: demons after Vercauteren et al., NeuroImage 45(1), 2009; locally weighted votes after
    Artaechevarria et al., IEEE TMI 28(8), 2009.
    """

    def __init__(
        self, options: PropagationOptions, *, labeled: Sequence[LabeledImage], num_classes: int
    ) -> None:
        """Keep the labeled cases.

        Raises:
            UsageError: when the images do not have the channel that the options ask for.
        """
        for case in labeled:
            if options.channel >= len(case.image):
                raise UsageError(
                    f"channel is {options.channel}, but {case.name} has {len(case.image)} "
                    "channels, counted from 0"
                )
        self.options = options
        self._labeled = labeled
        self._num_classes = num_classes

    def onto(self, image: Image, spacing_mm: Spacing) -> tuple[Image, tuple[str, ...]]:
        """Carry all labels over to an image (C, I, J, K), and count their votes.

        Returns:
            Probabilities (classes, I, J, K) float32, and what failed on the way.
        """
        fixed = np.asarray(image[self.options.channel], np.float32)
        with one_thread():
            copies = [self._copy(case, fixed, spacing_mm) for case in self._labeled]
        notes = tuple(note for copy in copies for note in copy.notes)
        return self._elected(copies), notes

    def _elected(self, copies: Sequence[Copy]) -> Image:
        """The mean (classes, I, J, K) of all copies, each weighted where it matches."""
        votes = np.stack([np.maximum(copy.correlation, _LEAST_VOTE) for copy in copies])
        votes = votes**self.options.vote_power
        votes /= votes.sum(axis=0)
        elected = np.zeros_like(copies[0].probability)
        for vote, copy in zip(votes, copies, strict=True):
            elected += vote * copy.probability
        return elected

    def _copy(self, case: LabeledImage, image: Image, spacing_mm: Spacing) -> Copy:
        options = self.options
        near = within(case.label > 0, case.spacing_mm, distance_mm=options.focus_mm)
        pair = Pair(image, spacing_mm, case.image[options.channel], case.spacing_mm, near)
        transform, notes = align(
            pair,
            max_voxels=options.max_voxels,
            affine_iterations=options.affine_iterations,
            deformable_iterations=options.deformable_iterations,
            deformation_smoothing=options.deformation_smoothing,
            window_mm=options.window_mm,
        )
        distances = signed_distances(case.label, self._num_classes, case.spacing_mm)
        carried = [
            pair.carried(one, transform, outside=-FAR_MM if index else FAR_MM)
            for index, one in enumerate(distances)
        ]
        probability = probabilities(np.stack(carried), softness_mm=options.softness_mm)
        correlation = pair.correlation(transform, window_mm=options.window_mm)
        return Copy(probability, correlation, tuple(f"{case.name}: {note}" for note in notes))
