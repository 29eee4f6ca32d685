"""OME-Zarr 0.5 out: an image and its label map as multiscale Zarr v3, for viewers.

    CASE.ome.zarr/0, 1, ...             image (c, z, y, x), float32, each level coarser
    CASE.ome.zarr/labels/NAME/0, 1, ... label map (z, y, x), uint8, on the same levels

Our (C, I, J, K) becomes (c, z, y, x) = (C, K, J, I): x runs to the patient's right, y to the front
and z up (RAS+). The format knows scales and translations only, so the rotation of an oblique volume
is left to `samssl_export.affine`, the 4x4 from (i, j, k) of level 0 to millimetres: the lengths of
its columns are the scale, its origin is the translation. The key is not `samssl`, which marks our
own artifacts: `--force` must never take an export for a damaged one and replace it.

Source: https://ngff.openmicroscopy.org/0.5, "multiscales", "labels", "image-label", "omero".
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from samssl_cli.errors import DataError
from samssl_cli.volumes.grid import Affine, Index
from samssl_cli.volumes.resample import resample_image, resample_label
from samssl_cli.volumes.voxels import Image
from samssl_cli.volumes.whole_file import free_space

SUFFIX = ".ome.zarr"

_VERSION = "0.5"
_SIDE = 64  # of a chunk; a volume that fits one gets no coarser level
_HALVING = "linear interpolation at the centre of the merged voxels"
_CHANNEL = {"name": "c", "type": "channel"}
_SPACE = tuple({"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx")
_COLOURS = (  # Okabe and Ito's, which colour-blind people tell apart
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


@dataclass(frozen=True)
class LabelMap:
    """A label map that lies over an image."""

    name: str
    """What viewers call it: `label`, `prediction`."""
    voxels: NDArray[np.uint8]
    """(I, J, K), the index of a class."""
    class_names: Sequence[str]
    """Background first."""


@dataclass(frozen=True)
class Picture:
    """An image in RAS+, and what lies over it."""

    name: str
    image: Image
    """(C, I, J, K)."""
    channel_names: Sequence[str]
    affine: Affine
    """4x4, (i, j, k) to millimetres."""
    label: LabelMap | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    """Facts for the record, as JSON values."""


def write_ome_zarr(path: Path, picture: Picture) -> None:
    """Write a picture as one OME-Zarr folder; what is at `path` is replaced once it is whole.

    Until then it lies beside, under a hidden name that no viewer looks for.

    Raises:
        DataError: when the path does not end in .ome.zarr, or cannot be written.
    """
    if not path.name.endswith(SUFFIX):
        raise DataError(f"{path}: an OME-Zarr image is named *{SUFFIX}")
    assert picture.label is None or picture.label.voxels.shape == picture.image.shape[1:]
    unfinished, replaced = (path.with_name(f".{path.name}.{end}") for end in ("part", "replaced"))
    try:
        _remove(unfinished)  # of a run that was killed
        _remove(replaced)
        _write_image(unfinished, picture)
        if path.exists():
            path.rename(replaced)
        unfinished.rename(path)
        _remove(replaced)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error} ({free_space(path)})") from error


def level_shapes(shape: Index, spacing_mm: Sequence[float]) -> list[Index]:
    """The shapes of the levels, finest first, down to one whose sides are 64 at most.

    Each level halves (rounding up) the axes whose voxels are less than twice as long as the
    shortest that can still be halved, so that thick slices stay until the others caught up.
    """
    shapes, sizes = [shape], np.asarray(spacing_mm, np.float64)
    while max(shapes[-1]) > _SIDE:
        now = np.asarray(shapes[-1])
        shortest = sizes[now > 1].min()
        is_halved = (now > 1) & (sizes < 2 * shortest)
        i, j, k = (int(n) for n in np.where(is_halved, -(-now // 2), now))
        sizes = sizes * now / (i, j, k)
        shapes.append((i, j, k))
    return shapes


def _write_image(path: Path, picture: Picture) -> None:
    image = picture.image
    levels = list(_levels(image.shape[1:], picture.affine))
    about = {**picture.about, "orientation": "RAS+", "affine": picture.affine.tolist()}
    about["array_axes"] = "(c, z, y, x) is (channel, k, j, i); affine takes (i, j, k, 1)"
    ome: dict[str, Any] = {
        "version": _VERSION,
        "multiscales": [_multiscale(picture.name, levels, leading=(_CHANNEL,))],
        "omero": {"channels": _channels(image, picture.channel_names)},
    }
    group = zarr.open_group(path, mode="w-", zarr_format=3)
    group.attrs.put({"ome": ome, "samssl_export": about})
    for number, level in enumerate(levels):
        image = resample_image(image, level.shape, order=1)  # of the level before: none is skipped
        _write_array(group, str(number), image.transpose(0, 3, 2, 1), "czyx")
    if picture.label is not None:
        labels = group.create_group("labels")
        labels.attrs.put({"ome": {"version": _VERSION, "labels": [picture.label.name]}})
        _write_label(labels, picture.label, levels)


def _write_label(labels: zarr.Group, label: LabelMap, levels: "Sequence[_Level]") -> None:
    num_classes = len(label.class_names)
    ome: dict[str, Any] = {
        "version": _VERSION,
        "multiscales": [_multiscale(label.name, levels, leading=())],
        "image-label": {
            "version": _VERSION,
            "colors": [_colour(index) for index in range(num_classes)],
            "properties": [
                {"label-value": index, "class": name}
                for index, name in enumerate(label.class_names)
            ],
            "source": {"image": "../../"},
        },
    }
    group = labels.create_group(label.name)
    group.attrs.put({"ome": ome})
    voxels = label.voxels
    for number, level in enumerate(levels):
        voxels = resample_label(voxels, level.shape, num_classes)
        _write_array(group, str(number), voxels.transpose(2, 1, 0), "zyx")


def _write_array(group: zarr.Group, name: str, voxels: NDArray[Any], axes: str) -> None:
    sides = (min(n, _SIDE) for n in voxels.shape[-3:])
    array = group.create_array(
        name,
        shape=voxels.shape,
        dtype=voxels.dtype,
        chunks=(*(1 for _ in voxels.shape[:-3]), *sides),
        compressors=ZstdCodec(level=3),
        dimension_names=tuple(axes),
    )
    array[...] = np.ascontiguousarray(voxels)


@dataclass(frozen=True)
class _Level:
    """One resolution: its voxels, their size, and the centre of the first."""

    shape: Index
    spacing_mm: NDArray[np.float64]
    """(3,), along I, J, K."""
    origin_mm: NDArray[np.float64]
    """(3,), right, front, up."""


def _levels(shape: tuple[int, ...], affine: Affine) -> Iterator[_Level]:
    i, j, k = shape
    spacing_mm = voxel_sizes(affine)
    for level in level_shapes((i, j, k), spacing_mm):
        size = spacing_mm * shape / level
        # the outer faces stay where they are, as in `resample`, so the first centre moves inwards
        yield _Level(level, size, affine[:3, 3] + (size - spacing_mm) / 2)


def _multiscale(
    name: str, levels: Sequence[_Level], *, leading: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """One entry of `multiscales`; `leading` are the axes before z, y and x."""
    scale, shift = [1.0] * len(leading), [0.0] * len(leading)
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*scale, *level.spacing_mm[::-1].tolist()]},
                {"type": "translation", "translation": [*shift, *level.origin_mm[::-1].tolist()]},
            ],
        }
        for number, level in enumerate(levels)
    ]
    axes = [*leading, *_SPACE]
    return {"name": name, "axes": axes, "datasets": datasets, "type": _HALVING}


def _channels(image: Image, names: Sequence[str]) -> list[dict[str, Any]]:
    """How viewers are to show each channel: grey, between the 0.5 and 99.5 percentiles."""
    found: list[dict[str, Any]] = []
    for channel, name in zip(image, names, strict=True):
        start, end = (float(value) for value in np.percentile(channel, [0.5, 99.5]))
        low, high = float(channel.min()), float(channel.max())
        if start == end:  # nearly constant
            start, end = low, max(high, low + 1)
        window = {"min": low, "max": max(high, end), "start": start, "end": end}
        found.append({"label": name, "color": "FFFFFF", "active": not found, "window": window})
    return found


def _colour(index: int) -> dict[str, Any]:
    """The colour of a class; the background is not drawn."""
    rgb = _COLOURS[(index - 1) % len(_COLOURS)] if index else (0, 0, 0)
    return {"label-value": index, "rgba": [*rgb, 255 if index else 0]}


def _remove(path: Path) -> None:
    """Remove what is there, a folder or not; a link is removed, not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
