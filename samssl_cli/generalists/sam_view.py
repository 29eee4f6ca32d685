"""One way of seeing a volume: cut across one axis, in slices or mosaics, and asked about."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.sam_embedding import Pictures
from samssl_cli.generalists.sam_mosaic import Mosaic
from samssl_cli.generalists.sam_predictor import SlicePredictor
from samssl_cli.generalists.sam_prompts import SlicePrompt
from samssl_cli.generalists.sam_slices import Slicing

OUTSIDE_LOGIT = -20.0
"""The answer on slices that no prompt speaks of: probability 2e-9."""

Rating = tuple[float, float]
"""What SAM says of its answer on one slice, and the pixels of that answer."""


@dataclass(frozen=True)
class View:
    """A volume as SAM sees it along one axis."""

    cut: Slicing
    mosaic: Mosaic
    pictures: Pictures
    predictor: SlicePredictor

    def answer(
        self, said: Sequence[Sequence[SlicePrompt]]
    ) -> tuple[NDArray[np.float32], list[list[Rating]]]:
        """Answer S prompts, each given as what it says of the slices.

        Returns:
            Logits (S, I, J, K), `OUTSIDE_LOGIT` on slices of which a prompt does not speak, and for
            each prompt the ratings on the others.
        """
        answers = np.full((len(said), *self.cut.shape), OUTSIDE_LOGIT, np.float32)
        slices = [self.cut.pictures(answer) for answer in answers]  # views
        ratings: list[list[Rating]] = [[] for _ in said]
        by_picture = self._by_picture(said)
        features = self.pictures.features(list(by_picture))
        for asked, feature in zip(by_picture.values(), features, strict=True):
            placed = [prompt for _, _, prompt in asked]
            for number, logits, rating in self.predictor.decode(feature, placed, self.mosaic.size):
                member, index, _ = asked[number]
                slices[member][index] = tile = self.mosaic.cut_out(logits, index)
                ratings[member].append((rating, float((tile > 0).sum())))
        return answers, ratings

    def _by_picture(
        self, said: Sequence[Sequence[SlicePrompt]]
    ) -> dict[int, list[tuple[int, int, SlicePrompt]]]:
        """For each picture that is spoken of: which prompts do, of which slice, and how."""
        found: dict[int, list[tuple[int, int, SlicePrompt]]] = defaultdict(list)
        for member, prompts in enumerate(said):
            for prompt in prompts:
                placed = self.mosaic.place(prompt)
                found[placed.index].append((member, prompt.index, placed))
        return dict(sorted(found.items()))


def mean_rating(ratings: Sequence[Rating]) -> float:
    """Average ratings, weighted by area; SAM's are unbounded and are clipped to 0-1.

    NaN when no slice was visited.
    """
    if not ratings:
        return float("nan")
    values, areas = np.array(ratings).T
    return float(np.average(np.clip(values, 0, 1), weights=areas if areas.any() else None))
