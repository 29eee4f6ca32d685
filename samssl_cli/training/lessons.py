"""Lessons for a generalist: simulated prompts about the objects of labeled cases."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import torch

from samssl_cli.generalists.lesson import Views, VolumeLesson
from samssl_cli.recipe import Adapt, Augmentation
from samssl_cli.scenes.said import say
from samssl_cli.training.labeled_objects import LabeledObject, scene_around, scene_of
from samssl_cli.training.scout_batches import SHAPES, SceneBatches, draw_view_with
from samssl_cli.training.told import as_prompt
from samssl_cli.training.warped_objects import warp_around, warp_whole

_SCENE_SIZE = (80, 80, 80)  # that of the procedural scenes

_LABELED = 2  # tells these random numbers from those of the procedural scenes


class Lessons(Protocol):
    """What `make_lessons` gives."""

    def batch(self, step: int) -> Sequence[Views] | Sequence[VolumeLesson]:
        """The lessons of a step: the same at every call."""


def make_lessons(
    learns_from: Literal["views", "volumes"],
    objects: Sequence[LabeledObject],
    *,
    options: Adapt,
    augmentation: Augmentation,
    seed: int,
    device: torch.device,
) -> Lessons:
    """The stream of lessons that a generalist learns from.

    Args:
        learns_from: as the generalist says.
        objects: what prompts are about, at least one; of each, `counted` is where it is learned.
        options: how many prompts a step has.
        augmentation: of the labeled volumes.
        seed: of everything random.
        device: where the tensors of views are put.
    """
    if learns_from == "views":
        return ViewLessons(objects, options, augmentation, seed=seed, device=device)
    return VolumeLessons(objects, options, augmentation, seed=seed)


class ViewLessons:
    """Labeled objects as if they were scenes, and scenes among them, for `scout`.

    An object is brought to cubic voxels, warped and lit otherwise; `say` speaks of it as it does of
    a scene, with mistaken masks, boxes and clicks. A share of the prompts is about procedural
    scenes as in its pre-training.
    """

    def __init__(
        self,
        objects: Sequence[LabeledObject],
        options: Adapt,
        augmentation: Augmentation,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        """See `make_lessons`."""
        self._objects, self._augmentation = objects, augmentation
        self._seed, self._device = seed, device
        self._num_labeled = options.batch_size - options.num_replayed
        self._scenes = (
            SceneBatches(batch_size=options.num_replayed, seed=seed, device=device)
            if options.num_replayed
            else None
        )

    def batch(self, step: int) -> list[Views]:
        """The views of labeled objects, and those of scenes."""
        rng = np.random.default_rng([self._seed, _LABELED, step])
        i, j, k = rng.permutation(SHAPES[int(rng.integers(len(SHAPES)))])
        drawn = [self._view((int(i), int(j), int(k)), rng) for _ in range(self._num_labeled)]
        labeled = Views(*(torch.stack(part).to(self._device) for part in zip(*drawn, strict=True)))
        if self._scenes is None:
            return [labeled]
        replayed = self._scenes.batch(step)
        return [labeled, Views(replayed.inputs, replayed.target, None)]

    def _view(
        self, shape: tuple[int, int, int], rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        one = self._objects[int(rng.integers(len(self._objects)))]
        warped = warp_around(one, _SCENE_SIZE, self._augmentation, rng)
        image = warped.image[int(rng.integers(len(warped.image)))]
        scene = scene_of(image, warped.share)
        counted = torch.nn.functional.avg_pool3d(warped.counted[None], 2)[0]
        return draw_view_with(scene, counted, shape, rng, inverted=0)


class VolumeLessons:
    """Whole labeled volumes, warped, with a prompt about one object, for any other model."""

    def __init__(
        self,
        objects: Sequence[LabeledObject],
        options: Adapt,
        augmentation: Augmentation,
        *,
        seed: int,
    ) -> None:
        """See `make_lessons`."""
        self._objects, self._augmentation, self._seed = objects, augmentation, seed
        self._batch_size = options.batch_size

    def batch(self, step: int) -> list[VolumeLesson]:
        """As many lessons as the batch has prompts."""
        rng = np.random.default_rng([self._seed, _LABELED, step])
        return [self._lesson(rng) for _ in range(self._batch_size)]

    def _lesson(self, rng: np.random.Generator) -> VolumeLesson:
        one = self._objects[int(rng.integers(len(self._objects)))]
        warped = warp_whole(one, self._augmentation, rng)
        truth = (warped.share > 0.5).numpy()
        if not truth.any():  # turned out of the volume
            warped = warp_whole(one, self._augmentation.model_copy(update=_PLAIN), rng)
            truth = (warped.share > 0.5).numpy()
        image = warped.image.numpy()
        scene, low = scene_around(image[0], truth)
        i, j, k = truth.shape
        return VolumeLesson(
            image=image,
            spacing_mm=one.spacing_mm,
            prompt=as_prompt(say(scene, rng), low, (i, j, k)),
            truth=truth,
            counted=None if one.counted is None else (warped.counted > 0.5).numpy(),
            seed=int(rng.integers(2**62)),
        )


_PLAIN = {"affine_probability": 0.0, "flip_axes": (), "rotate90_axes": ()}
