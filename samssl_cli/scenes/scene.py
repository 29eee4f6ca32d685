"""One procedural volume and what in it may be meant; everything follows from two numbers."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from samssl_cli.scenes.anatomy import Structure, draw_structures, visible_depth
from samssl_cli.scenes.appearance import draw_image

COARSER = 2
"""Anatomy is drawn on a grid this many times coarser than the image: it is smooth anyway."""

_SMALLEST, _LARGEST = 0.004, 0.35  # of the volume: what is worth meaning
_LEAST_VISIBLE = 0.4  # of a structure, when others took its place


@dataclass(frozen=True)
class Scene:
    """An image, and the objects in it that a prompt could mean."""

    image: Tensor
    """(I, J, K) float32, standardised."""
    depths: tuple[Tensor, ...]
    """(I/2, J/2, K/2) each: about the distance to the object's surface in those coarser voxels,
    positive inside."""


def draw_scene(seed: int, index: int, *, size: int = 80) -> Scene:
    """Draw the scene with this number: at least one object on an image of `size` voxels a side."""
    rng = np.random.default_rng([seed, index])
    while True:
        sides = [size // COARSER] * 3
        structures = draw_structures((sides[0], sides[1], sides[2]), rng)
        image = draw_image(structures, (size, size, size), rng)
        depths = tuple(
            depth
            for number, structure in enumerate(structures)
            if _is_worth_meaning(structure, depth := visible_depth(structures, number))
        )
        if depths:
            return Scene(image, depths)


def _is_worth_meaning(structure: Structure, depth: Tensor) -> bool:
    visible, whole = int((depth > 0).sum()), int((structure.depth > 0).sum())
    fraction = visible / torch.numel(depth)
    return _SMALLEST < fraction < _LARGEST and visible > _LEAST_VISIBLE * whole
