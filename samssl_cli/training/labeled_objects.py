"""The objects of labeled cases, as something that prompts can be about."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from samssl_cli import recipe
from samssl_cli.artifacts.cases import LabeledCase
from samssl_cli.distances import distance_to_false
from samssl_cli.prompts.components import find_objects
from samssl_cli.scenes.scene import COARSER, Scene
from samssl_cli.volumes.grid import Index, Spacing

_AROUND = 0.6  # of the object's sides, seen on each side of it when a prompt is invented
_LEAST_AROUND = 6  # voxels


@dataclass(frozen=True)
class LabeledObject:
    """A connected component of a class in a labeled case."""

    case: str
    class_index: int
    component: int
    image: NDArray[np.floating[Any]]
    """(C, I, J, K), shared by the objects of a case."""
    spacing_mm: Spacing
    mask: NDArray[np.bool_]
    """(I, J, K)."""
    counted: NDArray[np.bool_] | None = None
    """(I, J, K) where it is learned from, or scored; None: everywhere."""

    @property
    def box(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first voxel (3,) and one past the last."""
        found = ndimage.find_objects(self.mask.astype(np.int8))[0]
        low, high = np.array([[s.start, s.stop] for s in found]).T
        return low, high

    def within(self, counted: NDArray[np.bool_]) -> "LabeledObject":
        """The same object, of which a part of the volume counts."""
        return replace(self, counted=counted)


def objects_of(case: LabeledCase, options: recipe.Adapt) -> list[LabeledObject]:
    """The objects of a case that are large enough, by class, from large to small."""
    num_classes = int(case.label.max()) + 1
    one_hot = np.stack([case.label == index for index in range(num_classes)]).astype(np.float32)
    sizes = recipe.Prompt(
        min_component_voxels=options.min_component_voxels,
        min_component_fraction=options.min_component_fraction,
    )
    return [
        LabeledObject(
            case=case.name,
            class_index=found.class_index,
            component=found.component,
            image=case.image,
            spacing_mm=case.geometry.spacing_mm,
            mask=found.mask,
        )
        for found in find_objects(one_hot, sizes)
    ]


def scene_around(image: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> tuple[Scene, Index]:
    """What surrounds an object, as a scene that `say` can speak of, and its first voxel.

    Args:
        image: (I, J, K) one channel.
        mask: (I, J, K) the object, not empty.
    """
    found = ndimage.find_objects(mask.astype(np.int8))[0]
    low = np.array([s.start for s in found])
    sides = np.array([s.stop for s in found]) - low
    around = np.maximum(np.ceil(_AROUND * sides), _LEAST_AROUND).astype(int)
    high = np.minimum(low + sides + around, mask.shape)
    low = np.maximum(low - around, 0)
    cropped = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    part = torch.from_numpy(np.ascontiguousarray(image[cropped], np.float32))
    scene = scene_of(
        _evened(part[None])[0], _evened(torch.from_numpy(mask[cropped])[None].float())[0]
    )
    return scene, (int(low[0]), int(low[1]), int(low[2]))


def scene_of(image: Tensor, share: Tensor) -> Scene:
    """A scene of an image and one object.

    Args:
        image: (I, J, K) float32, of even sides.
        share: (I, J, K) of each voxel that is the object's, 0-1.
    """
    return Scene(image, (signed_depth(share),))


def signed_depth(share: Tensor) -> Tensor:
    """The depth below an object's surface on the coarser grid: (I, J, K) to (I/2, J/2, K/2).

    Measured between voxel centres on the fine grid and averaged; in coarse voxels, positive inside.
    An object too thin to be seen there is given one voxel, its deepest.
    """
    inside = (share > 0.5).numpy()
    if not inside.any():
        inside = (share >= share.max()).numpy()
    padded = np.pad(inside, 1, mode="edge")
    within, beyond = distance_to_false(padded), distance_to_false(~padded)
    signed = np.where(padded, within - 0.5, 0.5 - beyond)[1:-1, 1:-1, 1:-1]
    fine = torch.from_numpy(np.ascontiguousarray(signed, np.float32))
    depth = functional.avg_pool3d(fine[None], COARSER)[0] / COARSER
    most = depth.max()
    return depth if most > 0 else depth + (0.25 - most)


def _evened(volume: Tensor) -> Tensor:
    """Repeat the last voxel (C, I, J, K) along odd sides."""
    padding = [pad for side in reversed(volume.shape[1:]) for pad in (0, side % COARSER)]
    return functional.pad(volume[None], padding, mode="replicate")[0]
