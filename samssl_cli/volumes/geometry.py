"""How a preprocessed volume lies in the file it came from, and the way back.

    native file --axes and flips--> RAS+ --crop--> box --resample--> preprocessed (I, J, K)

Only axes are swapped and flipped: an oblique volume keeps its rotation, in the affine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samssl_cli.volumes.grid import Affine, Index, NativeGrid, Spacing, checked_index, voxel_sizes
from samssl_cli.volumes.resample import resample_image, resample_label
from samssl_cli.volumes.voxels import Image, times

Scalar = TypeVar("Scalar", bound=np.generic)

_SPACING_TOLERANCE = 1e-3  # mm, and relative above 1 mm
_DIRECTION_TOLERANCE = 1e-4  # of a direction cosine; headers are float32 and often re-derived
_CORNER_TOLERANCE = 0.5  # voxels


@dataclass(frozen=True)
class Geometry:
    """The steps from a native grid to a preprocessed one, all undoable."""

    native: NativeGrid
    orientation: tuple[tuple[int, int], ...]
    """For each native axis: the RAS+ axis that it becomes, and -1 where it is flipped."""
    low: Index
    """First voxel of the crop box in the RAS+ grid."""
    high: Index
    """One past its last voxel."""
    shape: Index
    """Voxels of the preprocessed volume: the crop box after resampling."""

    @classmethod
    def of(cls, native: NativeGrid) -> "Geometry":
        """Reorientation to the closest RAS+ axes only: no crop, no resampling."""
        from nibabel import orientations

        codes = orientations.io_orientation(native.affine)
        orientation = tuple((int(axis), int(flip)) for axis, flip in codes)
        shape = _ras_shape(native.shape, orientation)
        return cls(native, orientation, (0, 0, 0), shape, shape)

    def cropped(self, low: Index, high: Index) -> "Geometry":
        """The same with a crop box in the RAS+ grid, at its full resolution."""
        i, j, k = (b - a for a, b in zip(low, high, strict=True))
        return replace(self, low=low, high=high, shape=(i, j, k))

    def resampled(self, shape: Index) -> "Geometry":
        """The same with the crop box resampled to `shape` voxels."""
        return replace(self, shape=shape)

    @property
    def ras_shape(self) -> Index:
        """Voxels of the whole volume after reorientation."""
        return _ras_shape(self.native.shape, self.orientation)

    @property
    def crop_shape(self) -> Index:
        """Voxels of the crop box before resampling."""
        i, j, k = (b - a for a, b in zip(self.low, self.high, strict=True))
        return i, j, k

    @property
    def affine(self) -> Affine:
        """4x4, index in the preprocessed volume to millimetres (voxel faces as in `resample`)."""
        from nibabel import orientations

        to_native = orientations.inv_ornt_aff(self.orientation, self.native.shape)
        scale = np.divide(self.crop_shape, self.shape)
        to_ras = np.diag([*scale, 1.0])
        to_ras[:3, 3] = np.asarray(self.low) + 0.5 * scale - 0.5  # centre of voxel 0
        return np.asarray(self.native.affine @ to_native @ to_ras, np.float64)

    @property
    def spacing_mm(self) -> Spacing:
        """Voxel sizes of the preprocessed volume."""
        return voxel_sizes(self.affine)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; every number survives exactly."""
        return {
            "native": self.native.to_json(),
            "orientation": [list(pair) for pair in self.orientation],
            "low": list(self.low),
            "high": list(self.high),
            "shape": list(self.shape),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Geometry":
        """The geometry that `to_json` described.

        Raises:
            ValueError: when the steps do not fit each other; `KeyError` or `TypeError`, when a
                value is missing or of another type.
        """
        low, high = (checked_index(values[key], at_least=0) for key in ("low", "high"))
        shape = checked_index(values["shape"], at_least=1)
        orientation = tuple((int(axis), int(flip)) for axis, flip in values["orientation"])
        if sorted(axis for axis, _ in orientation) != [0, 1, 2] or any(
            flip not in (-1, 1) for _, flip in orientation
        ):
            raise ValueError(f"orientation {orientation}, expected each axis once, 1 or -1")
        geometry = cls(NativeGrid.from_json(values["native"]), orientation, low, high, shape)
        if not all(a < b <= n for a, b, n in zip(low, high, geometry.ras_shape, strict=True)):
            raise ValueError(f"a crop from {low} to {high} of {geometry.ras_shape}")
        return geometry


def to_ras(array: NDArray[Scalar], geometry: Geometry) -> NDArray[Scalar]:
    """Turn (..., I, J, K) in native axes into the whole RAS+ grid, voxel for voxel."""
    flipped = np.flip(array, _flipped_axes(geometry))
    order = np.argsort([axis for axis, _ in geometry.orientation])
    return np.ascontiguousarray(_transpose_last(flipped, order))


def from_ras(array: NDArray[Scalar], geometry: Geometry) -> NDArray[Scalar]:
    """Undo `to_ras`: (..., I, J, K) in the whole RAS+ grid back into native axes."""
    order = np.array([axis for axis, _ in geometry.orientation])
    native = _transpose_last(array, order)
    return np.ascontiguousarray(np.flip(native, _flipped_axes(geometry)))


def from_native_image(image: Image, geometry: Geometry) -> Image:
    """Reorient, crop and resample (cubic) an image (C, native shape) to (C, I, J, K)."""
    box = (slice(None), *_box(geometry))
    return resample_image(np.ascontiguousarray(to_ras(image, geometry)[box]), geometry.shape)


def from_native_label(
    label: NDArray[np.uint8], geometry: Geometry, num_classes: int
) -> NDArray[np.uint8]:
    """Reorient, crop and resample a label (native shape) to (I, J, K)."""
    cropped = np.ascontiguousarray(to_ras(label, geometry)[_box(geometry)])
    return resample_label(cropped, geometry.shape, num_classes)


def to_native_probability(probability: Image, geometry: Geometry) -> Image:
    """Bring (C, I, J, K) float32 back onto the native grid by linear interpolation.

    Outside the crop box the background, channel 0, is certain. Gives (C, native shape).
    """
    whole = np.zeros((len(probability), *geometry.ras_shape), np.float32)
    whole[0] = 1.0
    resampled = resample_image(probability, geometry.crop_shape, order=1)
    whole[(slice(None), *_box(geometry))] = resampled
    return from_ras(whole, geometry)


def to_native_label(
    label: NDArray[np.uint8], geometry: Geometry, num_classes: int
) -> NDArray[np.uint8]:
    """Bring a label (I, J, K) back onto the native grid; voxel-exact when nothing was resampled.

    Outside the crop box it is background.
    """
    whole = np.zeros(geometry.ras_shape, np.uint8)
    whole[_box(geometry)] = resample_label(label, geometry.crop_shape, num_classes)
    return from_ras(whole, geometry)


def affines_agree(grid_a: NativeGrid, grid_b: NativeGrid) -> str | None:
    """None when voxel (i, j, k) of both grids is the same place; otherwise what differs.

    Float noise of headers is forgiven: 1e-3 mm (relative above 1 mm) of spacing, 1e-4 of a
    direction cosine, and half a voxel at the farthest corner.
    """
    if grid_a.shape != grid_b.shape:
        return f"shape {times(grid_a.shape)} against {times(grid_b.shape)}"
    spacing_a, spacing_b = np.array(grid_a.spacing_mm), np.array(grid_b.spacing_mm)
    if np.any(np.abs(spacing_a - spacing_b) > _SPACING_TOLERANCE * np.maximum(1, spacing_a)):
        return f"spacing {_numbers(spacing_a)} mm against {_numbers(spacing_b)} mm"
    direction_a = grid_a.affine[:3, :3] / spacing_a
    direction_b = grid_b.affine[:3, :3] / spacing_b
    if np.abs(direction_a - direction_b).max() > _DIRECTION_TOLERANCE:
        return f"directions {_numbers(direction_a)} against {_numbers(direction_b)}"
    shift = _corner_shift(grid_a, grid_b)
    if shift >= _CORNER_TOLERANCE:
        origins = (_numbers(grid.affine[:3, 3]) for grid in (grid_a, grid_b))
        return f"origin {' mm against '.join(origins)} mm, {shift:.3g} voxels apart"
    return None


def _corner_shift(grid_a: NativeGrid, grid_b: NativeGrid) -> float:
    """Largest distance, in voxels along an axis, between the same corner of both grids."""
    corners = np.array([[*corner, 1] for corner in product(*((0, n - 1) for n in grid_a.shape))])
    moved = corners @ (np.linalg.inv(grid_a.affine) @ grid_b.affine).T
    return float(np.abs(moved - corners).max())


def _ras_shape(shape: Index, orientation: tuple[tuple[int, int], ...]) -> Index:
    by_axis = {axis: n for n, (axis, _) in zip(shape, orientation, strict=True)}
    return by_axis[0], by_axis[1], by_axis[2]


def _flipped_axes(geometry: Geometry) -> tuple[int, ...]:
    """The flipped native axes, counted from the end (-3, -2, -1)."""
    return tuple(n - 3 for n, (_, flip) in enumerate(geometry.orientation) if flip < 0)


def _transpose_last(array: NDArray[Scalar], order: NDArray[np.intp]) -> NDArray[Scalar]:
    leading = array.ndim - 3
    return array.transpose(*range(leading), *(int(axis) + leading for axis in order))


def _box(geometry: Geometry) -> tuple[slice, slice, slice]:
    i, j, k = (slice(a, b) for a, b in zip(geometry.low, geometry.high, strict=True))
    return i, j, k


def _numbers(values: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values.ravel()) + ")"
