"""What every reader demands of the voxels of a file, whatever its format."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.errors import DataError

Image = NDArray[np.float32]
Label = NDArray[np.uint8] | NDArray[np.uint16]

_ROUNDING = 1e-3  # a float label this close to an integer is meant to be that integer


def likeliest(probability: Image) -> NDArray[np.uint8]:
    """The class of the highest probability of each voxel: (classes, I, J, K) to (I, J, K).

    Of equally likely ones the lowest, so the background first.
    """
    label: NDArray[np.uint8] = probability.argmax(axis=0).astype(np.uint8)
    return label


def check_size(path: Path, shape: Sequence[int], dtype: np.dtype, *, max_bytes: int) -> None:
    """Refuse a volume by what its header declares, before a byte of it is read.

    A header of a few hundred bytes can declare terabytes (a damaged file, or a hostile one).

    Raises:
        DataError: when it has no voxels, is not made of plain numbers, or needs over `max_bytes`.
    """
    if dtype.kind not in "fiub":
        raise DataError(
            f"{path}: voxels are of type {dtype}, expected plain numbers; "
            "convert colour or complex volumes to one intensity per voxel"
        )
    if min(shape) < 1:
        raise DataError(f"{path}: shape {times(shape)} holds no voxels; export the volume again")
    num_bytes = math.prod(int(n) for n in shape) * max(4, dtype.itemsize)  # read as float32
    if num_bytes > max_bytes:
        raise DataError(
            f"{path}: shape {times(shape)} needs {num_bytes / 1e9:.3g} GB, the limit is "
            f"{max_bytes / 1e9:.3g} GB; if the shape is right, raise preprocess.max_volume_gb"
        )


@contextmanager
def enough_memory(path: Path) -> Iterator[None]:
    """Tell a machine that is full apart from a file that is damaged.

    Raises:
        DataError: when the memory does not suffice for what is done with the file.
    """
    try:
        yield
    except MemoryError as error:
        raise DataError(
            f"{path}: not enough memory for this volume; use fewer --workers, or lower "
            "preprocess.max_volume_gb"
        ) from error


def finite_image(path: Path, values: NDArray[Any]) -> Image:
    """`values` as float32.

    Raises:
        DataError: when a voxel is NaN or infinite, counting them.
    """
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and is counted below
        image = np.asarray(values, np.float32)
    num_bad = image.size - int(np.isfinite(image).sum())
    if num_bad:
        raise DataError(
            f"{path}: {num_bad} of {image.size} voxels are NaN or infinite; "
            "replace them (for example with 0) and save the file again"
        )
    return image


def integer_label(path: Path, values: NDArray[Any]) -> Label:
    """`values` as uint8, or uint16 when they go above 255.

    Floats within 1e-3 of an integer are rounded: many tools save labels as floats.

    Raises:
        DataError: naming values that are fractions, not finite, negative or above 65535.
    """
    if values.dtype.kind == "f":
        values = _rounded(path, values)
    bad = (values < 0) | (values > np.iinfo(np.uint16).max)
    if bad.any():
        raise DataError(
            f"{path}: label values {some(values[bad])} found, expected 0 to 65535; "
            "relabel them as listed in dataset.json (0 is the background)"
        )
    fits_uint8 = values.max() <= np.iinfo(np.uint8).max
    return values.astype(np.uint8) if fits_uint8 else values.astype(np.uint16)


def _rounded(path: Path, values: NDArray[Any]) -> NDArray[np.float64]:
    floats = values.astype(np.float64)
    whole = np.rint(floats)
    with np.errstate(invalid="ignore"):  # inf - inf
        is_whole = np.abs(floats - whole) <= _ROUNDING  # NaN and inf compare false
    if not is_whole.all():
        raise DataError(
            f"{path}: label values {some(floats[~is_whole])} found, expected whole numbers; "
            "this may be an image, or a label that was resampled without nearest neighbours"
        )
    return whole


def some(values: NDArray[Any]) -> str:
    """The first few distinct values, for a message: "0.5, 1.5, …"."""
    distinct = np.unique(values)
    shown = ", ".join(f"{value:g}" for value in distinct[:5])
    return shown + (", …" if len(distinct) > 5 else "")


def times(shape: Sequence[int]) -> str:
    """A shape for a message: "183 x 140 x 88"."""
    return " x ".join(str(int(n)) for n in shape)
