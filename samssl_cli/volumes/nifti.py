"""NIfTI files in and out: the only module that knows nibabel's ways of failing."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from samssl_cli.errors import DataError
from samssl_cli.volumes.file_names import NIFTI_SUFFIXES
from samssl_cli.volumes.grid import NativeGrid, voxel_sizes
from samssl_cli.volumes.voxels import (
    Image,
    Label,
    check_size,
    enough_memory,
    finite_image,
    integer_label,
    times,
)
from samssl_cli.volumes.whole_file import free_space, unfinished

_NIFTI2_HEADER_BYTES = 540
_XFORM_CODES = range(6)  # what nibabel does not know it takes for 0, and the place is lost
_NOT_MM = {1: "metres", 3: "micrometres"}  # spatial codes of xyzt_units; 0 (unset) means mm
_MAX_HEADER_BYTES = 1e8  # extensions are kilobytes; a gzip bomb may hide before the voxels
_MIN_DETERMINANT = 1e-3  # of the direction cosines: 1 when orthogonal, 0 when an axis is lost


def read_header(path: Path, *, max_bytes: int) -> NativeGrid:
    """The grid of a NIfTI file, from its header alone.

    Raises:
        DataError: when the file is not a usable NIfTI volume of at most `max_bytes` in memory.
    """
    with enough_memory(path):
        return _open(path, max_bytes=max_bytes)[1]


def read_volume(path: Path, *, max_bytes: int) -> tuple[Image, NativeGrid]:
    """An image as (C, I, J, K) float32 in the file's own axes, and its grid.

    A 3-D file has one channel; the fourth axis of a 4-D file (as in the MSD) holds the channels.

    Raises:
        DataError: as `read_header`, or when the voxels are cut short, NaN or infinite.
    """
    with enough_memory(path):
        nifti, grid = _open(path, max_bytes=max_bytes)
        voxels = _voxels(path, nifti, np.float32).reshape(*grid.shape, -1)  # (I, J, K, C)
        channels_first = np.moveaxis(finite_image(path, voxels), -1, 0)  # (C, I, J, K)
        return np.ascontiguousarray(channels_first), grid


def read_label(path: Path, *, max_bytes: int) -> tuple[Label, NativeGrid]:
    """A label as (I, J, K) uint8 (uint16 above 255) in the file's own axes, and its grid.

    Raises:
        DataError: as `read_header`; when it is not one 3-D volume of whole numbers from 0 on.
    """
    with enough_memory(path):
        nifti, grid = _open(path, max_bytes=max_bytes)
        if nifti.shape[3:].count(1) != len(nifti.shape) - 3:
            raise DataError(
                f"{path}: label of shape {times(nifti.shape)}, expected one value per voxel "
                "(3-D); merge its layers into one integer map"
            )
        return integer_label(path, _voxels(path, nifti).reshape(grid.shape)), grid


def write_label(path: Path, label: NDArray[np.integer[Any]], grid: NativeGrid) -> None:
    """Write (I, J, K) in native axes with the geometry of `grid`: uint8, or uint16 if needed.

    The file appears under its name only when it is whole.

    Raises:
        DataError: when the path does not end in .nii or .nii.gz, or cannot be written.
    """
    assert label.shape == grid.shape, (label.shape, grid.shape)
    _write(path, label.astype(np.uint8 if label.max() <= 255 else np.uint16), grid)


def write_image(path: Path, image: Image, grid: NativeGrid) -> None:
    """Write (C, I, J, K) float32 in native axes, an image or a probability.

    One channel becomes a 3-D file, several become the fourth axis. Whole or not at all.

    Raises:
        DataError: when the path does not end in .nii or .nii.gz, or cannot be written.
    """
    assert image.shape[1:] == grid.shape, (image.shape, grid.shape)
    stored = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)  # (I, J, K[, C])
    _write(path, stored.astype(np.float32), grid)


def _open(path: Path, *, max_bytes: int) -> tuple[Any, NativeGrid]:
    """The file as a nibabel image whose voxels are not read yet, and its checked grid."""
    nifti = _load(path)
    if len(nifti.shape) < 3 or any(n != 1 for n in nifti.shape[4:]):
        raise DataError(
            f"{path}: shape {times(nifti.shape)}, expected 3-D, or 4-D with channels last; "
            "split time series or vectors into one file per channel"
        )
    check_size(path, nifti.shape, nifti.get_data_dtype(), max_bytes=max_bytes)
    return nifti, _checked_grid(path, nifti)


def _load(path: Path) -> Any:
    if path.exists() and not path.is_file() and not path.is_dir():  # a pipe would wait for ever
        raise DataError(f"{path}: is no file, but a pipe or a device; name a volume")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes); copy or export it again")
    if path.is_file() and not path.name.endswith(NIFTI_SUFFIXES):
        raise DataError(f"{path}: expected a name that ends in .nii or .nii.gz; convert it")
    try:
        return _kind(path).from_filename(path, mmap=False)
    except _unreadable() as error:
        raise DataError(
            f"{path}: not readable as NIfTI: {_first_line(error)}; copy or export it again"
        ) from error


def _kind(path: Path) -> Any:
    """NIfTI-1 or -2 by the size of the header, and no third: nibabel would also try XML."""
    import nibabel as nib

    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        size = stream.read(4)
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    is_second = _NIFTI2_HEADER_BYTES in (int.from_bytes(size, order) for order in orders)
    return nib.Nifti2Image if is_second else nib.Nifti1Image


def _checked_grid(path: Path, nifti: Any) -> NativeGrid:
    with nifti.file_map["image"].get_prepare_fileobj(mode="rb") as stream:
        raw = type(nifti.header).from_fileobj(stream, check=False)
    problem = _number_problem(raw) or _affine_problem(nifti.header)
    if problem is not None:
        raise DataError(f"{path}: {problem}; repair the header, or export the volume again")
    i, j, k = nifti.shape[:3]
    return NativeGrid.from_header(nifti.header, (int(i), int(j), int(k)))


def _number_problem(raw: Any) -> str | None:
    """What is wrong with the stored numbers that nibabel replaces silently as it loads."""
    sizes = raw["pixdim"][1:4]
    if not np.all(np.isfinite(sizes) & (sizes != 0)):  # old files have negative ones: harmless
        return f"voxel sizes (pixdim) are {sizes.tolist()}, expected three positive numbers"
    for name in ("qform_code", "sform_code"):
        if int(raw[name]) not in _XFORM_CODES:
            return f"the orientation's {name} is {int(raw[name])}, expected 0 to 5"
    if np.isinf(raw["scl_slope"]) or np.isinf(raw["scl_inter"]):  # NaN means unset, as does 0
        return "the intensity scale (scl_slope, scl_inter) is infinite, expected finite numbers"
    if not raw["vox_offset"] <= _MAX_HEADER_BYTES:  # NaN, too
        return f"voxels start at byte {raw['vox_offset']:g}, expected right after the header"
    units = int(raw["xyzt_units"]) % 8
    if units in _NOT_MM:
        return f"lengths are in {_NOT_MM[units]} (xyzt_units {units}), expected millimetres"
    return None


def _affine_problem(header: Any) -> str | None:
    """What makes the qform or sform unusable, or None."""
    try:
        matrices = [header.get_best_affine(), header.get_qform(), header.get_sform(coded=True)[0]]
    except ValueError as error:  # a quaternion longer than 1
        return f"the orientation cannot be decoded: {_first_line(error)}"
    if not all(matrix is None or np.isfinite(matrix).all() for matrix in matrices):
        return "the affine holds NaN or infinity, expected finite numbers"
    lengths = np.maximum(voxel_sizes(matrices[0]), np.finfo(np.float32).tiny)
    if abs(np.linalg.det(matrices[0][:3, :3] / lengths)) < _MIN_DETERMINANT:
        return "the affine is singular: its axes do not span space"
    return None


def _voxels(path: Path, nifti: Any, dtype: type[np.float32] | None = None) -> NDArray[Any]:
    """The voxels with the header's slope applied, as `dtype` or as they come."""
    try:
        with np.errstate(all="ignore"):  # what overflows here is found by finite_image
            whole = _decompressed(path, nifti) if path.suffix == ".gz" else nifti
            return np.asarray(whole.dataobj, dtype)
    except _unreadable() as error:
        raise DataError(
            f"{path}: the voxels cannot be read: {_first_line(error)}; "
            "the file is cut short or damaged: copy or export it again"
        ) from error


def _decompressed(path: Path, nifti: Any) -> Any:
    """The image in memory. nibabel stops before the checksum, and misses flipped bits."""
    size = nifti.dataobj.offset + math.prod(nifti.shape) * nifti.get_data_dtype().itemsize
    with gzip.open(path) as stream:
        content = stream.read(size)
        stream.read(1)  # reaching the end makes gzip compare its checksum
    return type(nifti).from_bytes(content)


def _write(path: Path, stored: NDArray[np.generic], grid: NativeGrid) -> None:
    if not path.name.endswith(NIFTI_SUFFIXES):
        raise DataError(f"{path}: a NIfTI file is named *.nii.gz or *.nii")
    import nibabel as nib

    header = grid.to_header()
    header.set_data_dtype(stored.dtype)
    kind = nib.Nifti2Image if grid.nifti_version == 2 else nib.Nifti1Image
    try:
        with unfinished(path) as aside:
            kind(stored, None, header).to_filename(aside)  # no affine: the header's forms stand
            aside.replace(path)
    except OSError as error:
        why = f"{_first_line(error)} ({free_space(path)})"
        raise DataError(f"{path}: cannot be written: {why}") from error


def _unreadable() -> tuple[type[Exception], ...]:
    """What nibabel raises for a file that it cannot read."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    return (
        OSError,  # missing, a folder, cut short, not gzip
        EOFError,  # a gzip stream that is cut short
        zlib.error,  # a flipped bit in it
        ValueError,
        OverflowError,  # a negative dimension
        ImageFileError,  # no format that nibabel knows
        HeaderDataError,
        WrapStructError,  # shorter than a header
    )


def _first_line(error: Exception) -> str:
    told = getattr(error, "strerror", None) or str(error)
    return next(iter(told.splitlines()), "") or type(error).__name__
