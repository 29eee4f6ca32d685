"""Volumes in HDF5 files as UA-MT and SSL4MIS keep them: arrays `image` and `label`, no affine.

h5py is an optional dependency, imported when the first file is read.
"""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.errors import DataError, UsageError
from samssl_cli.volumes.grid import NativeGrid
from samssl_cli.volumes.voxels import (
    Image,
    Label,
    check_size,
    enough_memory,
    finite_image,
    integer_label,
    times,
)


def read_header(path: Path, *, max_bytes: int) -> NativeGrid:
    """The grid of the array `image`, 1 mm per voxel, from its shape alone.

    Raises:
        DataError: when there is no such 3-D array of at most `max_bytes`.
        UsageError: when h5py is not installed.
    """
    with _opened(path, "image", max_bytes=max_bytes) as array:
        return _unit_grid(array.shape)


def read_volume(path: Path, *, max_bytes: int) -> tuple[Image, NativeGrid]:
    """The array `image` as (1, I, J, K) float32, on a grid of 1 mm: millimetres are voxels here.

    Raises:
        DataError: when there is no such 3-D array of finite numbers of at most `max_bytes`.
        UsageError: when h5py is not installed.
    """
    with enough_memory(path):
        voxels = _read(path, "image", max_bytes=max_bytes)
        return finite_image(path, voxels)[None], _unit_grid(voxels.shape)


def read_label(path: Path, *, max_bytes: int) -> tuple[Label, NativeGrid]:
    """The array `label` as (I, J, K) uint8 (uint16 above 255), on a grid of 1 mm.

    Raises:
        DataError: when there is no such 3-D array of whole numbers of at most `max_bytes`.
        UsageError: when h5py is not installed.
    """
    with enough_memory(path):
        voxels = _read(path, "label", max_bytes=max_bytes)
        return integer_label(path, voxels), _unit_grid(voxels.shape)


def digest(path: Path, key: str) -> str:
    """The sha256 of one array: image and label share a file, but not a fingerprint.

    Raises:
        DataError: when there is no such array.
        UsageError: when h5py is not installed.
    """
    voxels = _read(path, key, max_bytes=sys.maxsize)
    described = f"{voxels.dtype.str} {voxels.shape} ".encode()
    return hashlib.sha256(described + np.ascontiguousarray(voxels).tobytes()).hexdigest()


def holds_label(path: Path) -> bool:
    """Whether a file has an array `label`; a file that cannot be opened is left to `read_label`.

    Raises:
        UsageError: when h5py is not installed.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            return "label" in file
    except (OSError, KeyError, RuntimeError, ValueError, TypeError):  # HDF5's damage
        return True


def _unit_grid(shape: tuple[int, ...]) -> NativeGrid:
    i, j, k = shape
    return NativeGrid.from_affine((i, j, k), np.eye(4))


def _read(path: Path, key: str, *, max_bytes: int) -> NDArray[np.generic]:
    with _opened(path, key, max_bytes=max_bytes) as array:
        return np.asarray(array)


@contextmanager
def _opened(path: Path, key: str, *, max_bytes: int) -> Iterator[Any]:
    """The checked array of a file, whose voxels are not read yet."""
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            if not isinstance(file.get(key, getlink=True), h5py.HardLink):  # absent, or elsewhere
                found = ", ".join(sorted(file)[:5]) or "nothing"
                raise DataError(f"{path}: no array {key!r}, found {found}; convert the file again")
            array = file[key]
            if not isinstance(array, h5py.Dataset) or len(array.shape) != 3 or array.external:
                found = times(getattr(array, "shape", ())) or "no volume"
                raise DataError(f"{path}: {key!r} is {found}, expected a 3-D array in the file")
            check_size(path, array.shape, array.dtype, max_bytes=max_bytes)
            yield array
    except DataError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:  # HDF5's damage
        reason = next(iter(str(error).splitlines()), "")
        raise DataError(f"{path}: not readable as HDF5: {reason}; copy the file again") from error


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise UsageError(
            "reading .h5 files needs h5py; install it with: pip install h5py"
        ) from error
    module: ModuleType = h5py
    return module
