"""The labeled and the unlabeled stream of patches.

The batch of a step is a function of the seed and the step alone, so that a resumed run draws the
very patches that an undisturbed run would have drawn, and no random state has to be saved.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.errors import DataError
from samssl_cli.methods.method import Batch, PseudoLabel
from samssl_cli.recipe import Augmentation, Training
from samssl_cli.training.intensity import change_intensity, draw_intensity
from samssl_cli.training.shelf import Shelf
from samssl_cli.training.warp import Warp, cut, draw_warp


@dataclass(frozen=True)
class LabeledVolume:
    """A volume with its reference."""

    image: NDArray[np.float16]
    """(C, I, J, K)."""
    label: NDArray[np.uint8]
    """(I, J, K)."""


@dataclass(frozen=True)
class UnlabeledVolume:
    """A volume without a reference; in `retrain` with a generalist's answer."""

    image: NDArray[np.float16]
    """(C, I, J, K)."""
    pseudo: NDArray[np.float16] | None = None
    """(classes - 1 + 1, I, J, K): probabilities of the foreground classes, then the confidence."""


class PatchStreams:
    """Draw the batch of any step."""

    def __init__(
        self,
        labeled: Sequence[LabeledVolume],
        unlabeled: Sequence[UnlabeledVolume],
        *,
        options: Training,
        augmentation: Augmentation,
        seed: int,
        device: torch.device,
        shelf: Shelf | None = None,
    ) -> None:
        """Note where the labeled voxels are.

        Args:
            labeled: at least one.
            unlabeled: at least one, if the batch has any.
            options: how large patches and batches are.
            augmentation: how patches are changed.
            seed: of the draws.
            device: where patches are changed and left.
            shelf: where the volumes lie, and where the places of the labeled voxels go.

        Raises:
            DataError: without a labeled volume, or without the unlabeled ones that the batch needs.
        """
        if not labeled:
            raise DataError(
                "there is no labeled case to train on; see `samssl preprocess --labeled`"
            )
        if options.unlabeled_batch and not unlabeled:
            raise DataError(
                "there is no unlabeled case to train on: label fewer cases with "
                "`samssl preprocess --labeled N`, or train with `--method supervised`"
            )
        self._labeled, self._unlabeled = labeled, unlabeled
        self._shelf = shelf or Shelf(math.inf)
        self._foreground = [self._shelf.put(_places(volume.label)) for volume in labeled]
        self._options, self._augmentation = options, augmentation
        self._seed, self._device = seed, device

    def batch(self, step: int) -> Batch:
        """Cut and augment the patches of `step`, on the device."""
        rng = np.random.default_rng([self._seed, step])
        labeled = [self._labeled_patch(rng) for _ in range(self._options.labeled_batch)]
        unlabeled = [self._unlabeled_patch(rng) for _ in range(self._options.unlabeled_batch)]
        self._shelf.let_go()
        images, labels = zip(*labeled, strict=True)
        empty = torch.zeros(0, *images[0].shape, device=self._device)
        return Batch(
            labeled_image=torch.stack(images),
            label=torch.stack(labels),
            unlabeled_image=torch.stack([patch[0] for patch in unlabeled]) if unlabeled else empty,
            unlabeled_plain=torch.stack([patch[1] for patch in unlabeled]) if unlabeled else empty,
            pseudo=_stack_pseudo([p for _, _, p in unlabeled if p is not None]),
        )

    def _labeled_patch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        index = int(rng.integers(len(self._labeled)))
        volume, foreground = self._labeled[index], self._foreground[index]
        wants_foreground = rng.random() < self._options.foreground_probability
        target = None
        if len(foreground):
            place = foreground[rng.integers(len(foreground))]
            target = np.array(np.unravel_index(int(place), volume.label.shape))
        warp = self._warp(rng, volume.image.shape, target if wants_foreground else None)
        label = self._cut(volume.label[None], warp, order="nearest")[0].round().long()
        return self._intensity(self._cut(volume.image, warp), rng), label

    def _unlabeled_patch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        volume = self._unlabeled[int(rng.integers(len(self._unlabeled)))]
        warp = self._warp(rng, volume.image.shape, None)
        plain = self._cut(volume.image, warp)
        pseudo = None if volume.pseudo is None else self._cut(volume.pseudo, warp)
        return self._intensity(plain, rng), plain, pseudo

    def _warp(
        self,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        target: NDArray[np.int64] | None,
    ) -> Warp:
        """Place a patch at random inside the volume, or around a target voxel."""
        size = self._options.patch_size
        reach = np.maximum(np.array(shape[1:]) - np.array(size), 0) / 2  # from the volume's centre
        middle = (np.array(shape[1:]) - 1) / 2
        centre = middle + rng.uniform(-1, 1, 3) * reach
        if target is not None:
            # Anywhere around the target, yet no farther out than a patch inside the volume.
            jitter = rng.uniform(-0.25, 0.25, 3) * np.array(size)
            centre = np.clip(target + jitter, middle - reach, middle + reach)
        return draw_warp(rng, self._augmentation, centre=centre.astype(np.float32), patch_size=size)

    def _cut(
        self, volume: NDArray[np.floating | np.integer], warp: Warp, *, order: str = "bilinear"
    ) -> Tensor:
        size = self._options.patch_size
        return cut(volume, warp, patch_size=size, order=order, device=self._device)

    def _intensity(self, patch: Tensor, rng: np.random.Generator) -> Tensor:
        change = draw_intensity(rng, self._augmentation)
        return change_intensity(patch, change, seed=int(rng.integers(2**62)))


def _places(label: NDArray[np.uint8]) -> NDArray[np.unsignedinteger[Any]]:
    """Where the labeled voxels of (I, J, K) lie, one number each, in as few bytes as they take."""
    return np.flatnonzero(label).astype(np.min_scalar_type(label.size))


def _stack_pseudo(patches: list[Tensor]) -> PseudoLabel | None:
    """Turn foreground probabilities and confidence into a full distribution over the classes."""
    if not patches:
        return None
    stacked = torch.stack(patches)  # (B, classes - 1 + 1, I, J, K)
    foreground, confidence = stacked[:, :-1], stacked[:, -1]
    background = (1 - foreground.sum(1, keepdim=True)).clamp(0, 1)
    return PseudoLabel(torch.cat([background, foreground], 1), confidence)
