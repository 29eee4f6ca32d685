"""The labeled cases as a second opinion: laid over the image, they say what a prompt may mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samssl_cli.errors import UsageError
from samssl_cli.generalists.atlas_memory import AtlasMemory
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.types import Proposal
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import Positive, PositiveCount, validate
from samssl_cli.registration.propagation import Propagation, PropagationOptions
from samssl_cli.registration.soft_labels import signed_distances
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.labeled_image import LabeledImage

_SURE = 3.0  # logit of a voxel of the mask on the border of the atlas
_LARGEST = 10.0  # logit


class Atlas:
    """Register the labeled cases to the image; let them strike out and fill in what is far off.

    logit(x) = 3 (2 m(x) - 1) + 3 d(x) / reach

    with m the mask that is asked about, 1/2 everywhere where there is none, and d the signed
    distance to the border of the registered label, positive inside, mm. So a voxel of the mask is
    given up when it lies farther than `reach` outside the registered label, and one that lies
    deeper inside is added; nearer to the border the mask decides. A prompt does not name a class:
    the class is meant whose label lies nearest to the mask, the clicks inside or the middle of the
    box. Beyond a box there is nothing.

    Source: ours; LogOdds as priors: Pohl et al., Medical Image Analysis 11(6), 2007; the
    registration: `Propagation`.
    """

    needs_checkpoint: ClassVar[bool] = False

    class Options(PropagationOptions):
        """Options of `atlas`."""

        reach_mm: Positive = Field(
            5.0, description="how far from the border of the registered label a mask is believed"
        )
        max_labeled: PositiveCount = Field(
            8, description="labeled cases that are registered; of more, the first ones"
        )

    def __init__(
        self, options: Options, labeled: Sequence[LabeledImage], *, num_classes: int
    ) -> None:
        """Keep the labeled cases; `build` chooses and checks them."""
        self.options = options
        self._labeled, self._num_classes = labeled, num_classes
        self._propagation = Propagation(options, labeled=labeled, num_classes=num_classes)
        self._memory: AtlasMemory | None = None

    @classmethod
    def build(
        cls,
        options: Mapping[str, Any],
        *,
        checkpoint: Path | None,
        device: str,
        labeled: Sequence[LabeledImage] = (),
        num_classes: int = 2,
    ) -> "Atlas":
        """Keep the labeled cases; registration is on the CPU, whatever the device.

        Raises:
            RecipeError: when an option is unknown or out of range.
            UsageError: when there is no labeled case, the images do not have the channel that the
                options ask for, or a checkpoint is given.
        """
        chosen = validate(cls.Options, options, where="sam_label.options.atlas")
        if checkpoint is not None:
            raise UsageError(
                f"generalist 'atlas' has no weights: drop --checkpoint {checkpoint}; it looks at "
                "the labeled cases"
            )
        if not labeled:
            raise UsageError("generalist 'atlas' needs a labeled case to lay over the others")
        return cls(chosen, labeled[: chosen.max_labeled], num_classes=num_classes)

    def remember_in(self, cache: EmbeddingCache, *, weights_sha256: str, device: str) -> None:
        """Look distances up in a cache from now on, and keep there what has to be registered.

        Args:
            cache: of any generalist and any labeled cases.
            weights_sha256: of no weights; the labeled cases are digested in their place.
            device: of no interest, registration is on the CPU.
        """
        del weights_sha256, device
        self._memory = AtlasMemory(cache, self.options, self._labeled)

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> NDArray[np.float32]:
        """Signed distances (foreground classes, I, J, K) to the registered labels, mm."""
        if self._memory is None:
            return self._distances(image, spacing_mm)
        key = self._memory.key(image, spacing_mm)
        kept = self._memory.cache.get(key)
        if kept is None:
            kept = self._distances(image, spacing_mm)
            self._memory.cache.put(key, kept)
        return kept

    def _distances(self, image: NDArray[np.float32], spacing_mm: Spacing) -> NDArray[np.float32]:
        probability, _ = self._propagation.onto(image, spacing_mm)
        label = probability.argmax(axis=0).astype(np.uint8)
        return signed_distances(label, self._num_classes, spacing_mm)[1:]

    def segment(self, embedding: NDArray[np.float32], prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts; how good an answer is it cannot say."""
        logits = np.stack([self._answer(embedding, prompt) for prompt in prompts])
        return Proposal(logits, np.full(len(prompts), np.nan, np.float32))

    def _answer(self, distances: NDArray[np.float32], prompt: Prompt) -> NDArray[np.float32]:
        distance = distances[int(np.argmax(_nearness(distances, prompt)))]
        logit = _SURE * distance / np.float32(self.options.reach_mm)
        if prompt.mask is not None:
            logit = logit + _SURE * (2 * np.asarray(prompt.mask, np.float32) - 1)
        elif prompt.box is not None:
            inside = np.zeros(logit.shape, bool)
            inside[prompt.box.slices] = True
            logit = np.where(inside, logit, np.float32(-_LARGEST))
        return np.asarray(np.clip(logit, -_LARGEST, _LARGEST), np.float32)


def _nearness(distances: NDArray[np.float32], prompt: Prompt) -> NDArray[np.float64]:
    """For each class, how deep what is pointed at lies in its label, on average; mm."""
    where = _pointed_at(prompt, distances.shape[1:])
    if not where.any():
        where = np.ones_like(where)
    return np.array([one[where].mean(dtype=np.float64) for one in distances])


def _pointed_at(prompt: Prompt, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask; else the clicks inside; else the middle of the box."""
    if prompt.mask is not None:
        return prompt.mask
    where = np.zeros(shape, bool)
    clicks = prompt.points.coordinates[prompt.points.is_positive]
    if len(clicks):
        where[tuple(clicks.T)] = True
    elif prompt.box is not None:
        low, high = np.array(prompt.box.low), np.array(prompt.box.high)
        quarter = (high - low) // 4
        where[tuple(map(slice, low + quarter, high - quarter))] = True
    return where
