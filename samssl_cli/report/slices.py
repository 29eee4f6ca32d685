"""The three planes of a volume, shown as on a PACS: the patient's right is on your left.

Volumes are RAS+: indices grow towards the right, the front and the head of the patient. In each
plane both axes of the screen run against them, so that one rule serves all three.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from samssl_cli.report.contents import CaseView, Click, Layer

LONGEST_SIDE = 192
"""Voxels along an axis that a page carries at most."""

Voxel = tuple[int, int, int]
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class Plane:
    """One way to cut a volume."""

    name: str
    axis: int
    """The one that the slider moves along."""
    across: int
    """The volume's axis that runs from the right edge of the screen to the left."""
    down: int
    """The volume's axis that runs from the bottom of the screen to the top."""
    letters: str
    """The patient's side at the left, right, top and bottom edge."""


PLANES = (
    Plane("axial", axis=2, across=0, down=1, letters="RLAP"),
    Plane("coronal", axis=1, across=0, down=2, letters="RLSI"),
    Plane("sagittal", axis=0, across=1, down=2, letters="APSI"),
)


def slice_of(volume: NDArray[_Scalar], plane: Plane, index: int) -> NDArray[_Scalar]:
    """One slice as rows from the top and columns from the left: (I, J, K) to (rows, columns)."""
    result: NDArray[_Scalar] = np.moveaxis(volume, plane.axis, 0)[index].T[::-1, ::-1]
    return result


def on_screen(plane: Plane, shape: Sequence[int], position: Sequence[int]) -> tuple[int, int]:
    """Column and row at which `slice_of` shows a voxel (i, j, k)."""
    return (
        shape[plane.across] - 1 - position[plane.across],
        shape[plane.down] - 1 - position[plane.down],
    )


def clicks_on(view: CaseView, plane: Plane, index: int) -> tuple[Click, ...]:
    """The clicks that lie on a slice."""
    return tuple(click for click in view.clicks if click.position[plane.axis] == index)


def fullest_voxel(view: CaseView) -> Voxel:
    """Along each axis the slice on which the layers cover most; the middle where they are empty."""
    covered: NDArray[np.bool_] = np.zeros(view.image.shape, dtype=np.bool_)
    for layer in view.layers:
        covered |= layer.label > 0
    if not covered.any():
        covered[tuple(size // 2 for size in covered.shape)] = True
    i, j, k = (int(covered.sum(axis=others).argmax()) for others in ((1, 2), (0, 2), (0, 1)))
    return i, j, k


def strides_for(shape: tuple[int, ...]) -> Voxel:
    """Every how many voxels to show along each axis, for a page of bearable size."""
    i, j, k = shape
    return _ceil((i, j, k), (LONGEST_SIDE,) * 3)


def thinned(view: CaseView) -> CaseView:
    """The view with every n-th voxel along the axes that are too long, and its marks moved along.

    A view that is small enough comes back as it is.
    """
    strides = strides_for(view.image.shape)
    if max(strides) == 1:
        return view
    steps = tuple(slice(None, None, stride) for stride in strides)
    return replace(
        view,
        image=view.image[steps],
        spacing_mm=_times(view.spacing_mm, strides),
        layers=tuple(Layer(layer.name, layer.label[steps]) for layer in view.layers),
        clicks=tuple(
            Click(_floor(click.position, strides), click.is_positive) for click in view.clicks
        ),
        boxes=tuple((_floor(low, strides), _ceil(high, strides)) for low, high in view.boxes),
    )


def _floor(voxel: Voxel, by: Voxel) -> Voxel:
    return voxel[0] // by[0], voxel[1] // by[1], voxel[2] // by[2]


def _ceil(voxel: Voxel, by: Voxel) -> Voxel:
    return -(-voxel[0] // by[0]), -(-voxel[1] // by[1]), -(-voxel[2] // by[2])


def _times(spacing_mm: tuple[float, float, float], by: Voxel) -> tuple[float, float, float]:
    return spacing_mm[0] * by[0], spacing_mm[1] * by[1], spacing_mm[2] * by[2]
