"""The labeled volumes as templates: laid over the image, their labels carried with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from samssl_cli.errors import UsageError
from samssl_cli.guesses.alignment import Pair, align, within
from samssl_cli.guesses.registration import one_thread
from samssl_cli.guesses.soft_labels import FAR_MM, probabilities, signed_distances
from samssl_cli.guesses.types import Encoder, Guess, LabeledImage
from samssl_cli.recipe import Count, NonNegative, Positive, PositiveCount, Section, validate
from samssl_cli.volumes.grid import Spacing
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


class Template:
    """Register the labeled volumes to an image, and let their labels vote.

    Each is stretched onto the image, corner to corner; an affine transform is fitted to all of it,
    then to what is near the labeled objects, then a displacement of every voxel. A step that fails,
    or after which the images match less well, is left out. At each voxel the labels are averaged,
    weighted with the local correlation of the images to a power. What is carried is the distance
    to each class's border, so that borders are soft and thin objects stay as thick as they are.

    Source: demons after Vercauteren et al., NeuroImage 45(1), 2009; locally weighted votes after
    Artaechevarria et al., IEEE TMI 28(8), 2009.
    """

    class Options(Section):
        """Options of `template`."""

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

    def __init__(
        self, options: Options, *, labeled: Sequence[LabeledImage], num_classes: int
    ) -> None:
        self.options = options
        self._labeled = labeled
        self._num_classes = num_classes

    @classmethod
    def build(
        cls,
        options: Mapping[str, Any],
        *,
        labeled: Sequence[LabeledImage],
        num_classes: int,
        encoder: Encoder | None = None,
    ) -> "Template":
        """Keep the labeled cases; `encoder` is not needed.

        Raises:
            RecipeError: when an option is unknown or out of range.
            UsageError: when the images do not have the channel that the options ask for, or
                SimpleITK is not installed.
        """
        chosen = validate(cls.Options, options, where="first_guess.options.template")
        for case in labeled:
            if chosen.channel >= len(case.image):
                raise UsageError(
                    f"first_guess.options.template.channel is {chosen.channel}, but {case.name} "
                    f"has {len(case.image)} channels, counted from 0"
                )
        with one_thread():  # and so SimpleITK is there
            return cls(chosen, labeled=labeled, num_classes=num_classes)

    def guess(self, image: Image, spacing_mm: Spacing) -> Guess:
        """Carry all labels over to an image (C, I, J, K), and count their votes."""
        fixed = np.asarray(image[self.options.channel], np.float32)
        with one_thread():
            copies = [self._copy(case, fixed, spacing_mm) for case in self._labeled]
        notes = tuple(note for copy in copies for note in copy.notes)
        return Guess(self._elected(copies), notes)

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
