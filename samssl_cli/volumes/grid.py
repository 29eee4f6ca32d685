"""The voxel grid of a file as its header describes it, kept exactly, to be written back later."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Index = tuple[int, int, int]
Spacing = tuple[float, float, float]
Affine = NDArray[np.float64]

_SFORM_ALIGNED = 2  # NIFTI_XFORM_ALIGNED_ANAT
_UNITS_MM = 2  # NIFTI_UNITS_MM
_MOST_VOXELS = 2**33


def voxel_sizes(affine: Affine) -> Spacing:
    """The lengths of the first three columns of an affine, mm: how large its voxels are."""
    from nibabel import affines  # most commands that read an artifact need none of nibabel

    i, j, k = (float(size) for size in affines.voxel_sizes(affine))
    return i, j, k


@dataclass(frozen=True)
class NativeGrid:
    """The grid that an image came on: enough to write a label that overlays it exactly.

    The header's own numbers are kept rather than matrices made of them: a quaternion that is turned
    into a matrix and back may change in its last bit, and read -> write -> read would differ.
    """

    shape: Index
    """Voxels along the axes of the file."""
    pixdim: tuple[float, float, float, float]
    """qfac (+1 or -1), then the voxel sizes of the header."""
    qform_code: int
    quaternion: tuple[float, ...] | None
    """(b, c, d, x, y, z): rotation and offset in mm of the qform; None when its code is 0."""
    sform_code: int
    sform_rows: tuple[tuple[float, ...], ...] | None
    """The three rows of four numbers of the sform, mm; None when its code is 0."""
    xyzt_units: int
    nifti_version: int = 1

    @classmethod
    def from_affine(cls, shape: Index, affine: ArrayLike) -> "NativeGrid":
        """A grid with only an sform, rounded to float32, the precision of a NIfTI-1 header.

        Args:
            shape: voxels along each axis.
            affine: 4x4, voxel index to RAS+ millimetres.
        """
        rounded = np.asarray(affine, np.float32).astype(np.float64)
        sizes = np.asarray(voxel_sizes(rounded), np.float32)
        i, j, k = (float(size) for size in sizes)
        rows = tuple(tuple(float(value) for value in row) for row in rounded[:3])
        return cls(shape, (1.0, i, j, k), 0, None, _SFORM_ALIGNED, rows, _UNITS_MM)

    @classmethod
    def from_header(cls, header: Any, shape: Index) -> "NativeGrid":
        """The grid of a nibabel NIfTI header; `shape` are the three spatial axes."""
        import nibabel as nib

        qfac, i, j, k = (float(value) for value in header["pixdim"][:4])
        names = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
        rows = [[float(value) for value in header[f"srow_{axis}"]] for axis in "xyz"]
        qform_code, sform_code = int(header["qform_code"]), int(header["sform_code"])
        return cls(
            shape=shape,
            pixdim=(qfac, i, j, k),
            qform_code=qform_code,
            quaternion=tuple(float(header[name]) for name in names) if qform_code else None,
            sform_code=sform_code,
            sform_rows=tuple(tuple(row) for row in rows) if sform_code else None,
            xyzt_units=int(header["xyzt_units"]),
            nifti_version=2 if isinstance(header, nib.Nifti2Header) else 1,
        )

    def to_header(self) -> Any:
        """A fresh nibabel header with this geometry and nothing else."""
        import nibabel as nib

        header = nib.Nifti2Header() if self.nifti_version == 2 else nib.Nifti1Header()
        header.set_data_shape(self.shape)
        header["pixdim"][:4] = self.pixdim
        header["xyzt_units"] = self.xyzt_units
        header["qform_code"], header["sform_code"] = self.qform_code, self.sform_code
        if self.quaternion is not None:
            b, c, d, x, y, z = self.quaternion
            header["quatern_b"], header["quatern_c"], header["quatern_d"] = b, c, d
            header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = x, y, z
        if self.sform_rows is not None:
            header["srow_x"], header["srow_y"], header["srow_z"] = self.sform_rows
        return header

    @property
    def affine(self) -> Affine:
        """4x4, voxel index to millimetres: the sform, else the qform, else nibabel's guess.

        With both codes 0 a file says nothing about the patient. Then nibabel's guess stands, as in
        every tool built on it: first axis towards the left, origin at the centre of the volume.
        """
        return np.asarray(self.to_header().get_best_affine(), np.float64)

    @property
    def spacing_mm(self) -> Spacing:
        """Voxel sizes along the file's axes: column lengths of the affine in use, not `pixdim`."""
        return voxel_sizes(self.affine)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; every number survives exactly."""
        rows = None if self.sform_rows is None else [list(row) for row in self.sform_rows]
        return asdict(self) | {
            "shape": list(self.shape),
            "pixdim": list(self.pixdim),
            "quaternion": None if self.quaternion is None else list(self.quaternion),
            "sform_rows": rows,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "NativeGrid":
        """The grid that `to_json` described.

        Raises:
            ValueError: when it is no grid that a NIfTI header can hold; `KeyError` or `TypeError`,
                when a value is missing or of another type.
        """
        quaternion, rows = values["quaternion"], values["sform_rows"]
        i, j, k = checked_index(values["shape"], at_least=1)
        qfac, size_i, size_j, size_k = values["pixdim"]
        grid = cls(
            shape=(i, j, k),
            pixdim=(qfac, size_i, size_j, size_k),
            qform_code=values["qform_code"],
            quaternion=None if quaternion is None else tuple(quaternion),
            sform_code=values["sform_code"],
            sform_rows=None if rows is None else tuple(tuple(row) for row in rows),
            xyzt_units=values["xyzt_units"],
            nifti_version=values["nifti_version"],
        )
        matrix = grid.affine
        if not np.isfinite(matrix).all() or np.linalg.det(matrix[:3, :3]) == 0:
            raise ValueError("an affine that is singular, or holds NaN or infinity")
        return grid


def checked_index(values: Any, *, at_least: int) -> Index:
    """Three voxel numbers from JSON, of a volume that a computer could hold.

    Raises:
        ValueError: when they are no whole numbers, too small, or of over 2^33 voxels.
    """
    if not isinstance(values, list | tuple) or not all(type(n) is int for n in values):
        raise ValueError(f"{str(values)[:80]}, expected three whole numbers")
    i, j, k = values
    if min(i, j, k) < at_least or math.prod(max(n, 1) for n in values) > _MOST_VOXELS:
        raise ValueError(f"{str(values)[:80]}, expected {at_least} to {_MOST_VOXELS} voxels")
    return i, j, k
