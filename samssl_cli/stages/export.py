"""`samssl export`: what an artifact holds, as NIfTI or as OME-Zarr."""

from collections.abc import Callable, Sequence
from pathlib import Path

from samssl_cli.errors import UsageError
from samssl_cli.progress import Progress
from samssl_cli.stages.exportable import Backdrop, Exportable, open_exportable
from samssl_cli.volumes import nifti
from samssl_cli.volumes.grid import NativeGrid

FORMATS = ("nifti", "ome-zarr")

Files = dict[Path, Callable[[Path], None]]
"""Each file, or folder, with what writes it."""


def export(
    artifact: Path,
    to: Path,
    *,
    file_format: str = "nifti",
    with_images: bool = False,
    cases_path: Path | None = None,
    force: bool,
    progress: Progress,
) -> list[Path]:
    """Write the label maps of an artifact into the folder `to`, case by case.

    Of cases these are the given labels, of prompts the specialist's predictions, of pseudo-labels
    the labels, of scores the predictions that were scored.

    `nifti` writes `CASE.nii.gz`, uint8 on the native grid, and with images `CASE_image.nii.gz`,
    float32 as the networks see it: on the preprocessed grid, which has an affine of its own.

    `ome-zarr` writes `CASE.ome.zarr`, image and label map together on the preprocessed grid, in
    RAS+; for the cases without a label, the image alone. Without the cases, prompts and
    pseudo-labels lie on their class probabilities instead. The predictions of scores, which are
    kept on the native grid, are resampled to that of their image.

    Args:
        artifact: cases, prompts, pseudo-labels or scores.
        to: a folder, made if needed.
        file_format: a row of `FORMATS`.
        with_images: also write the images; OME-Zarr always has them.
        cases_path: the cases that the artifact was made from, for their images.
        force: replace what is there.
        progress: where to report.

    Returns:
        The paths of what was written.

    Raises:
        UsageError: for a checkpoint, which holds no label maps; without the cases that have the
            images; and when a file is there already, which may be somebody's work, without `force`.
        StaleArtifactError: when the artifact was made from other cases.
        DataError: when a file cannot be written.
    """
    if file_format not in FORMATS:
        raise UsageError(f"no format {file_format!r}; there are {', '.join(FORMATS)}")
    exportable = open_exportable(artifact, cases_path)
    if file_format == "nifti":
        files = _nifti_files(artifact, exportable, to, with_images=with_images)
    else:
        files = _ome_files(artifact, exportable, to)
    there = [path for path in files if path.exists()]
    if there and not force:
        raise UsageError(
            f"{there[0]}: exists already, and {len(there) - 1} more of {len(files)}; "
            "name another folder, or replace them with --force"
        )
    to.mkdir(parents=True, exist_ok=True)
    progress.start("exporting", total=len(files))
    for path, write in files.items():
        write(path)
        progress.advance({"file": path.name})
    return list(files)


def _nifti_files(artifact: Path, exportable: Exportable, to: Path, *, with_images: bool) -> Files:
    def write_label(name: str) -> Callable[[Path], None]:
        return lambda path: nifti.write_label(path, *exportable.native_label(name))

    labels = {to / f"{name}.nii.gz": write_label(name) for name in exportable.labelled}
    if not with_images:
        return labels
    images = _image_files(_images(artifact, exportable), _names(exportable), to)
    twice = labels.keys() & images.keys()
    if twice:
        raise UsageError(
            f"{min(twice)}: would hold a label map and an image; export without --images, or use "
            "--format ome-zarr"
        )
    return {**labels, **images}


def _image_files(images: Callable[[str], Backdrop], names: Sequence[str], to: Path) -> Files:
    def write_image(name: str) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            shown = images(name)
            grid = NativeGrid.from_affine(shown.geometry.shape, shown.geometry.affine)
            nifti.write_image(path, shown.image, grid)

        return write

    return {to / f"{name}_image.nii.gz": write_image(name) for name in names}


def _ome_files(artifact: Path, exportable: Exportable, to: Path) -> Files:
    from samssl_cli.volumes.ome_zarr import SUFFIX, LabelMap, Picture, write_ome_zarr

    backdrop = exportable.probabilities
    if exportable.images is not None or backdrop is None:
        backdrop = _images(artifact, exportable)
    about = {
        "kind": exportable.manifest.kind,
        "artifact": exportable.manifest.fingerprint,
        "shows": "image" if backdrop is exportable.images else "probabilities",
    }

    def picture(name: str) -> Picture:
        shown = backdrop(name)
        label = None
        if name in exportable.labelled:
            voxels = exportable.label(name, shown.geometry)
            label = LabelMap(exportable.label_name, voxels, exportable.class_names)
        affine = shown.geometry.affine
        return Picture(name, shown.image, shown.channel_names, affine, label, about)

    def write_picture(name: str) -> Callable[[Path], None]:
        return lambda path: write_ome_zarr(path, picture(name))

    return {to / f"{name}{SUFFIX}": write_picture(name) for name in _names(exportable)}


def _images(artifact: Path, exportable: Exportable) -> Callable[[str], Backdrop]:
    """Where the images come from.

    Raises:
        UsageError: when there are none.
    """
    if exportable.images is None:
        raise UsageError(
            f"{artifact} holds {exportable.manifest.kind}, which have no images; name the cases "
            "that it was made from: --cases cases.zarr"
        )
    return exportable.images


def _names(exportable: Exportable) -> tuple[str, ...]:
    return exportable.labelled + exportable.only_images
