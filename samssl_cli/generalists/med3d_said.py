"""From a prompt in voxels of the image to one on the grid that SAM-Med3D sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.med3d_windows import Volume
from samssl_cli.prompts.placement import depth
from samssl_cli.prompts.types import Prompt
from samssl_cli.volumes.grid import Index
from samssl_cli.volumes.resample import resample_image

Coordinates = NDArray[np.float64]
Faces = tuple[Coordinates, Coordinates]


@dataclass(frozen=True)
class Clicks:
    """Clicks in the order in which they are given."""

    coordinates: Coordinates
    """(N, 3) voxels; centres are at whole numbers."""
    is_positive: NDArray[np.bool_]
    """(N,) true inside the object."""

    def within(self, start: Index, size: int) -> "Clicks":
        """Those on voxels of a window, in its own coordinates."""
        moved = self.coordinates - start
        here = ((moved >= -0.5) & (moved < size - 0.5)).all(axis=1)
        return Clicks(moved[here], self.is_positive[here])


@dataclass(frozen=True)
class Said:
    """What a prompt says of an object, on the grid that the model sees."""

    clicks: Clicks
    mask_logits: Volume | None
    """(I, J, K), or None when no mask is passed on."""
    faces: Faces
    """The object's first and last faces, (3,) each; voxel n has the faces n and n + 1."""


def hear(
    prompt: Prompt, shape: Index, grid_shape: Index, *, mask_logit: float | None, max_clicks: int
) -> Said | None:
    """Bring a prompt onto another grid of the same extent.

    The object is where the mask has voxels, else inside the box, else where the positive clicks
    are. Positive clicks come first, as training begins with one. Without any, and without a mask
    to pass on, the voxel deepest inside the mask is clicked, or the middle of the box.

    Args:
        prompt: points, box and mask, each of which may be absent or empty.
        shape: voxels of the image.
        grid_shape: voxels of the grid that the model sees.
        mask_logit: of the mask, inside; None when it is not passed on.
        max_clicks: later ones are left out.

    Returns:
        None when nothing says where the object is.
    """
    faces = _faces(prompt)
    if faces is None:
        return None
    scale = np.divide(grid_shape, shape)
    mask_logits = _mask_logits(prompt, grid_shape, mask_logit)
    order = np.argsort(~prompt.points.is_positive, kind="stable")
    coordinates, signs = prompt.points.coordinates[order], prompt.points.is_positive[order]
    if mask_logits is None and not signs.any():
        coordinates = np.concatenate([_middle(prompt)[None], coordinates])
        signs = np.concatenate([[True], signs])
    moved = np.asarray((coordinates[:max_clicks] + 0.5) * scale - 0.5, np.float64)
    return Said(
        clicks=Clicks(moved, signs[:max_clicks]),
        mask_logits=mask_logits,
        faces=(faces[0] * scale, faces[1] * scale),
    )


def _faces(prompt: Prompt) -> Faces | None:
    box = prompt.extent
    return None if box is None else (np.array(box.low, float), np.array(box.high, float))


def _mask_logits(prompt: Prompt, grid_shape: Index, mask_logit: float | None) -> Volume | None:
    """The share of the object in each voxel, from -mask_logit to mask_logit.

    None when no voxel has more of it than not: an object that thin is clicked instead.
    """
    if mask_logit is None or not _has_voxels(prompt):
        return None
    assert prompt.mask is not None
    share = resample_image(prompt.mask[None].astype(np.float32), grid_shape, order=1)[0]
    return np.asarray(mask_logit * (2 * share - 1), np.float32) if share.max() > 0.5 else None


def _middle(prompt: Prompt) -> Coordinates:
    """The voxel (3,) deepest inside the mask, or the middle of the box."""
    if _has_voxels(prompt):
        assert prompt.mask is not None
        deepest = depth(prompt.mask).argmax()
        return np.array(np.unravel_index(deepest, prompt.mask.shape), float)
    assert prompt.box is not None
    middle: Coordinates = (np.array(prompt.box.low) + prompt.box.high - 1) / 2
    return middle


def _has_voxels(prompt: Prompt) -> bool:
    return prompt.mask is not None and bool(prompt.mask.any())
