"""Volumes: NIfTI, packed and not, and h5."""

import gzip
import io
from pathlib import Path

import numpy as np

from tests.fuzz.target import MAX_BYTES, Reader, Target, noisy_with, write_file


def _nifti_examples() -> list[bytes]:
    import nibabel as nib

    image = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    plain = nib.Nifti1Image(image, np.eye(4)).to_bytes()
    second = nib.Nifti2Image(image, np.eye(4)).to_bytes()
    scaled = nib.Nifti1Image(image.astype(np.float32)[..., None], np.diag([2, -1, 3, 1]))
    scaled.header["scl_slope"], scaled.header["qform_code"] = 2, 1
    return [plain, second, scaled.to_bytes(), gzip.compress(plain)]


def _write_nifti(data: bytes, folder: Path) -> None:
    is_packed = data[:2] == b"\x1f\x8b"
    (folder / "x.nii.gz").write_bytes(data if is_packed else gzip.compress(data, 1))
    (folder / "x.nii").write_bytes(data)


def _nifti_reader(name: str, file: str) -> Reader:
    def read(folder: Path, _: Path) -> object:
        from samssl_cli.volumes import nifti

        return getattr(nifti, name)(folder / file, max_bytes=MAX_BYTES)

    return read


def _labeled_pair(folder: Path, output: Path) -> None:
    """A volume that is read is also brought to another grid, and written."""
    from samssl_cli.stages.preparation import prepare_image
    from samssl_cli.volumes import nifti

    image, grid = nifti.read_volume(folder / "x.nii", max_bytes=MAX_BYTES)
    facts = {"crop": "nonzero", "spacing_mm": None, "ct_windows": [None] * len(image)}
    _, geometry = prepare_image(image, grid, facts, where=folder / "x.nii", max_bytes=MAX_BYTES)
    assert np.isfinite(geometry.affine).all()
    nifti.write_image(output / "again.nii", image, grid)


def _h5_examples() -> list[bytes]:
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["image"] = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        file.create_dataset("label", data=np.ones((2, 3, 4), np.uint8), compression="gzip")
    return [stream.getvalue()]


def _read_h5(folder: Path, _: Path) -> None:
    from samssl_cli.volumes import h5

    path = folder / "x.h5"
    if h5.holds_label(path):
        h5.read_label(path, max_bytes=MAX_BYTES)
    h5.read_volume(path, max_bytes=MAX_BYTES)
    h5.digest(path, "image")


VOLUMES: dict[str, Target] = {
    "nifti": Target(
        ".nii and .nii.gz",
        _nifti_examples,
        _write_nifti,
        (
            *(
                _nifti_reader(name, file)
                for name in ("read_volume", "read_label")
                for file in ("x.nii", "x.nii.gz")
            ),
            _labeled_pair,
        ),
        noisy_with(b"n+1\0", b"ni1\0", b"\x1f\x8b"),
    ),
    "h5": Target("h5 volumes", _h5_examples, write_file("x.h5"), (_read_h5,), noisy_with()),
}
