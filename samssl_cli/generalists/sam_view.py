"""One way of seeing a volume: cut across one axis, in slices or mosaics, and asked about."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.generalists.lesson import Taught, VolumeLesson
from samssl_cli.generalists.sam_embedding import Pictures
from samssl_cli.generalists.sam_mosaic import Mosaic
from samssl_cli.generalists.sam_predictor import SlicePredictor
from samssl_cli.generalists.sam_prompts import SlicePrompt
from samssl_cli.generalists.sam_slices import Slicing

OUTSIDE_LOGIT = -20.0
"""The answer on slices that no prompt speaks of: probability 2e-9."""

Rating = tuple[float, float]
"""What SAM says of its answer on one slice, and the pixels of that answer."""

Asked = tuple[int, SlicePrompt]
"""A prompt's number, and what it says of one slice."""

_PIXELS_AT_ONCE = 2**25  # each takes 16 bytes on the way, with three masks 36


@dataclass(frozen=True)
class Answered:
    """What SAM said to S prompts along one axis."""

    logits: NDArray[np.float32]
    """(S, I, J, K), `OUTSIDE_LOGIT` on slices of which a prompt does not speak."""
    looked: NDArray[np.bool_]
    """True on the slices of which it speaks: (S, I, J, K) with sides of 1 but across the axis."""
    ratings: Sequence[Sequence[Rating]]
    """For each prompt, those of these slices."""


@dataclass(frozen=True)
class View:
    """A volume as SAM sees it along one axis."""

    cut: Slicing
    mosaic: Mosaic
    pictures: Pictures
    predictor: SlicePredictor

    def answer(self, said: Sequence[Sequence[SlicePrompt]]) -> Answered:
        """Answer S prompts, each given as what it says of the slices."""
        answers = np.full((len(said), *self.cut.shape), OUTSIDE_LOGIT, np.float32)
        slices = [self.cut.pictures(answer) for answer in answers]  # views
        ratings: list[list[Rating]] = [[] for _ in said]
        by_picture = self._by_picture(said)
        features = self.pictures.features(list(by_picture))
        for all_asked, feature in zip(by_picture.values(), features, strict=True):
            for asked in self._portions(all_asked):
                for (member, index), tile, rating in self._tiles(asked, feature):
                    slices[member][index] = tile
                    ratings[member].append((rating, float((tile > 0).sum())))
        return Answered(answers, self._looked(said), ratings)

    def _looked(self, said: Sequence[Sequence[SlicePrompt]]) -> NDArray[np.bool_]:
        """As in `Answered`."""
        looked = np.zeros((len(said), self.cut.num_slices), bool)
        for member, prompts in enumerate(said):
            looked[member, [prompt.index for prompt in prompts]] = True
        others = tuple(1 + axis for axis in range(3) if axis != self.cut.axis)
        return np.expand_dims(looked, others)

    def counts(self, lesson: VolumeLesson, index: int) -> bool:
        """Whether an answer about this slice would be held to the truth anywhere."""
        return lesson.counted is None or bool(self.cut.pictures(lesson.counted)[index].any())

    def learn(self, lesson: VolumeLesson, said: SlicePrompt) -> Taught:
        """Answer what is said about one slice, with gradients, beside the truth (1, H, W)."""
        placed = self.mosaic.place(said)
        logits = self.predictor.learn(self.pictures.picture(placed.index), placed)

        def plane(mask: NDArray[np.bool_]) -> Tensor:
            drawn = np.ascontiguousarray(self.cut.pictures(mask)[said.index], np.float32)
            return torch.from_numpy(drawn)[None].to(logits.device)

        return Taught(
            logits=self.mosaic.cut_out(logits[0], said.index)[None],
            target=plane(lesson.truth),
            weight=None if lesson.counted is None else plane(lesson.counted),
        )

    def _tiles(
        self, asked: Sequence[Asked], feature: Tensor
    ) -> Iterator[tuple[tuple[int, int], NDArray[np.float32], float]]:
        """For each prompt about one picture: whose of which slice, the logits there, the rating."""
        placed = [self.mosaic.place(prompt) for _, prompt in asked]
        for number, logits, rating in self.predictor.decode(feature, placed, self.mosaic.size):
            member, prompt = asked[number]
            yield (member, prompt.index), self.mosaic.cut_out(logits, prompt.index), rating

    def _by_picture(self, said: Sequence[Sequence[SlicePrompt]]) -> dict[int, list[Asked]]:
        """For each picture that is spoken of: who says what about its slices."""
        found: dict[int, list[Asked]] = defaultdict(list)
        for member, prompts in enumerate(said):
            for prompt in prompts:
                found[self.mosaic.picture_of(prompt.index)].append((member, prompt))
        return dict(sorted(found.items()))

    def _portions(self, asked: list[Asked]) -> list[list[Asked]]:
        """So few prompts at once that their masks and answers, as large as a mosaic, fit in."""
        if self.mosaic.side == 1:
            return [asked]
        height, width = self.mosaic.size
        size = max(_PIXELS_AT_ONCE // (height * width), 1)
        alike = sorted(asked, key=lambda one: one[1].structure)
        return [alike[start : start + size] for start in range(0, len(alike), size)]


def mean_rating(ratings: Sequence[Rating]) -> float:
    """Average ratings, weighted by area; SAM's are unbounded and are clipped to 0-1.

    NaN when no slice was visited.
    """
    if not ratings:
        return float("nan")
    values, areas = np.array(ratings).T
    return float(np.average(np.clip(values, 0, 1), weights=areas if areas.any() else None))
