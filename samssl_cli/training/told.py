"""A prompt of a scene, said again in the voxels of the volume that the scene was taken from."""

import numpy as np
from numpy.typing import NDArray

from samssl_cli.prompts.types import Box, Points, Prompt
from samssl_cli.scenes.said import Said
from samssl_cli.scenes.scene import COARSER
from samssl_cli.volumes.grid import Index


def as_prompt(said: Said, low: Index, shape: Index) -> Prompt:
    """Bring what was said about a scene to a volume.

    Args:
        said: in voxels of the scene.
        low: the scene's first voxel in the volume.
        shape: (I, J, K) of the volume; what lies beyond it is brought to its border.
    """
    clicks = np.concatenate([said.inside, said.outside])
    at = np.rint(clicks + low).astype(np.int64).clip(0, np.array(shape) - 1)
    return Prompt(
        points=Points(at, np.arange(len(at)) < len(said.inside)),
        box=None if said.box is None else _box(*said.box, low, shape),
        mask=None if said.mask is None else _mask(said.mask.numpy() > 0.5, low, shape),
    )


def _box(first: NDArray[np.float64], last: NDArray[np.float64], low: Index, shape: Index) -> Box:
    size = np.array(shape)
    a = np.floor(first + low).astype(int).clip(0, size - 1)
    b = np.ceil(last + low).astype(int).clip(a + 1, size)
    return Box((int(a[0]), int(a[1]), int(a[2])), (int(b[0]), int(b[1]), int(b[2])))


def _mask(coarse: NDArray[np.bool_], low: Index, shape: Index) -> NDArray[np.bool_]:
    fine = coarse
    for axis in range(3):
        fine = np.repeat(fine, COARSER, axis=axis)
    whole = np.zeros(shape, bool)
    room = [min(n, size - a) for n, size, a in zip(fine.shape, shape, low, strict=True)]
    i, j, k = (slice(a, a + n) for a, n in zip(low, room, strict=True))
    whole[i, j, k] = fine[: room[0], : room[1], : room[2]]
    return whole
