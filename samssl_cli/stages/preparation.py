"""Bring a raw image to the grid and intensity scale of a data set: for preprocess and predict."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.errors import DataError
from samssl_cli.recipe import Preprocess
from samssl_cli.volumes.crop import nonzero_box
from samssl_cli.volumes.geometry import Geometry, from_native_image, to_ras
from samssl_cli.volumes.grid import Index, NativeGrid, Spacing
from samssl_cli.volumes.normalize import CtWindow, apply_ct_window, zscore_nonzero
from samssl_cli.volumes.resample import target_shape
from samssl_cli.volumes.voxels import times

Image = NDArray[np.float32]


def preprocessing_facts(
    options: Preprocess, *, spacing_mm: Spacing | None, windows: Sequence[CtWindow | None]
) -> dict[str, Any]:
    """All that `prepare_image` needs, as JSON values.

    Args:
        options: of the recipe.
        spacing_mm: the common grid, or None where each case keeps its own.
        windows: one per channel; None for a channel that is z-scored.
    """
    return {
        "crop": options.crop,
        "spacing_mm": None if spacing_mm is None else list(spacing_mm),
        "ct_windows": [None if window is None else vars(window) for window in windows],
    }


def prepare_image(
    image: Image, grid: NativeGrid, facts: Mapping[str, Any], *, where: Path, max_bytes: int
) -> tuple[NDArray[np.float16], Geometry]:
    """Crop, normalise and resample an image (C, native shape).

    Args:
        image: the channels.
        grid: of the file.
        facts: from `preprocessing_facts`.
        where: the file, for messages.
        max_bytes: that the result may take as float32.

    Returns:
        (C, I, J, K) in RAS+, and how to get back to the native grid.

    Raises:
        DataError: when the voxel size in the header would make it too large.
    """
    geometry = Geometry.of(grid)
    if facts["crop"] == "nonzero":
        geometry = geometry.cropped(*nonzero_box(to_ras(image, geometry)))
    if facts["spacing_mm"] is not None:
        i, j, k = facts["spacing_mm"]
        shape = target_shape(geometry.crop_shape, geometry.spacing_mm, (i, j, k))
        _check_size(where, geometry, shape, len(image), max_bytes)
        geometry = geometry.resampled(shape)
    normalised = _normalise(image, facts["ct_windows"])
    return from_native_image(normalised, geometry).astype(np.float16), geometry


def _check_size(
    where: Path, geometry: Geometry, shape: Index, num_channels: int, max_bytes: int
) -> None:
    """Refuse a volume whose header says that it is kilometres long, before it is resampled."""
    num_bytes = 4 * num_channels * math.prod(shape)
    if num_bytes > max_bytes:
        sizes = " x ".join(f"{size:.4g}" for size in geometry.spacing_mm)
        raise DataError(
            f"{where}: with voxels of {sizes} mm it would become {times(shape)} voxels "
            f"({num_bytes / 1e9:.3g} GB), the limit is {max_bytes / 1e9:.3g} GB; correct the voxel "
            "size in its header, or choose another preprocess.spacing_mm or max_volume_gb"
        )


def _normalise(image: Image, windows: Sequence[Mapping[str, float] | None]) -> Image:
    channels = [
        zscore_nonzero(channel[None]) if window is None else _windowed(channel[None], window)
        for channel, window in zip(image, windows, strict=True)
    ]
    return np.concatenate(channels)


def _windowed(channel: Image, window: Mapping[str, float]) -> Image:
    return apply_ct_window(channel, CtWindow(**window))
