"""The stream of procedural scenes and prompts that `scout` is pre-trained on."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from samssl_cli.generalists.scout_network import LIKENESS_CHANNEL
from samssl_cli.generalists.scout_prompts import encode
from samssl_cli.generalists.scout_view import View
from samssl_cli.scenes.said import Said, say
from samssl_cli.scenes.scene import COARSER, Scene, draw_scene

SHAPES = ((56, 56, 40), (56, 48, 48), (64, 48, 40), (48, 48, 48), (64, 56, 32))
"""Grids of a step's batch, each with its axes in any order; all about 120 000 voxels."""

_STEEPNESS = 6.0  # of the target across the border, per coarse voxel

_LIKENESS_HIDDEN = 0.5  # how often: what a histogram tells, it is not to rely on

_RECENT = 16  # scenes that a step picks from, the newest of which is new


@dataclass(frozen=True)
class ScoutBatch:
    """One step's prompts with the masks that were meant."""

    inputs: Tensor
    """(B, 6, I, J, K) float32, as `scout_prompts.encode` lays them out."""
    target: Tensor
    """(B, 1, I, J, K) float32 in 0-1."""


class SceneBatches:
    """Draw batches; what a step gets depends on the seed and its number alone.

    A new scene is drawn at every step, and the other prompts of the batch are about scenes of the
    last steps: drawing a scene takes longer than saying something about it.
    """

    def __init__(self, *, batch_size: int, seed: int, device: torch.device) -> None:
        """Take how many prompts a step has; `device` is where its tensors are put."""
        self._batch_size, self._seed, self._device = batch_size, seed, device
        self._scenes: dict[int, Scene] = {}

    def batch(self, step: int) -> ScoutBatch:
        """Say something about `batch_size` objects."""
        rng = np.random.default_rng([self._seed, 1, step])
        i, j, k = rng.permutation(SHAPES[int(rng.integers(len(SHAPES)))])
        drawn = [
            draw_view(self._scene(number), (int(i), int(j), int(k)), rng)
            for number in self._numbers(step, rng)
        ]
        inputs, targets = zip(*drawn, strict=True)
        return ScoutBatch(
            torch.stack(inputs).to(self._device), torch.stack(targets).to(self._device)
        )

    def _numbers(self, step: int, rng: np.random.Generator) -> list[int]:
        """The newest scene, and others of the last ones (before step 0 there were some, too)."""
        newest = step + _RECENT
        return [newest, *(newest - rng.integers(1, _RECENT, self._batch_size - 1))]

    def _scene(self, number: int) -> Scene:
        if number in self._scenes:
            return self._scenes[number]
        scene = self._scenes[number] = draw_scene(self._seed, number)
        if len(self._scenes) > _RECENT:
            del self._scenes[min(self._scenes)]
        return scene


def draw_view(
    scene: Scene, shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Say something about a scene and look where it was said.

    Returns:
        inputs (6, *shape) and target (1, *shape). The axes are turned so that the object lies along
        the grid, most of the time, and mirrored at random.
    """
    layer = torch.ones_like(scene.depths[0])
    inputs, target, _ = draw_view_with(scene, layer, shape, rng, inverted=0.5)
    return inputs, target


def draw_view_with(
    scene: Scene,
    layer: Tensor,
    shape: tuple[int, int, int],
    rng: np.random.Generator,
    *,
    inverted: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same, with a layer (I/2, J/2, K/2) of the scene read at the same places: (1, *shape).

    `inverted` is how often dark becomes bright.
    """
    said = say(scene, rng)
    axes = _axes_along(said, shape, rng)
    view = _view(said, _turned(shape, axes), scene.image.shape, rng)
    truth = torch.sigmoid(
        _STEEPNESS * view.sample(said.depth[None], coarser=COARSER, padding="border")
    )
    mask = None if said.mask is None else view.sample(said.mask[None], coarser=COARSER)[0]
    inputs = encode(
        view,
        view.sample(scene.image[None], padding="border")[0],
        mask=mask,
        box=said.box,
        inside=said.inside,
        outside=said.outside,
    )
    if rng.random() < inverted:
        inputs[0] = -inputs[0]  # dark objects on bright ground are as good
    if rng.random() < _LIKENESS_HIDDEN:
        inputs[LIKENESS_CHANNEL] = 0
    flips = [axis + 1 for axis in range(3) if rng.random() < 0.5]
    order = [0, *(axis + 1 for axis in axes)]
    seen = view.sample(layer[None], coarser=COARSER)
    turned = [part.permute(order).flip(flips) for part in (inputs, truth, seen)]
    return turned[0], turned[1], turned[2]


def _axes_along(
    said: Said, shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[int, int, int]:
    """Which axis of the scene becomes each axis of the grid: the longest the longest."""
    if rng.random() < 0.2:
        i, j, k = rng.permutation(3)
    else:
        low, high = said.extent
        by_length, ranks = np.argsort(high - low), np.argsort(np.argsort(shape))
        i, j, k = by_length[ranks]
    return int(i), int(j), int(k)


def _turned(shape: tuple[int, int, int], axes: tuple[int, int, int]) -> tuple[int, int, int]:
    """The grid in the scene's own order of axes."""
    own = [0, 0, 0]
    for side, axis in zip(shape, axes, strict=True):
        own[axis] = side
    return own[0], own[1], own[2]


def _view(
    said: Said, shape: tuple[int, int, int], volume: tuple[int, ...], rng: np.random.Generator
) -> View:
    """A view of this shape over what was said, with a random margin, not quite in its middle."""
    low, high = said.extent
    margin = rng.uniform(0.03, 0.35)
    sides = (high - low) * (1 + 2 * margin)
    step = max(float((sides / np.array(shape)).max()), 0.3)
    room = np.maximum(step * np.array(shape) - (high - low), 0) / 2
    shift = rng.uniform(-0.3, 0.3, 3) * room
    return View((low + high - 1) / 2 + shift, np.full(3, step), shape).moved_into(volume)
