"""Bring a raw image to the grid and intensity scale of a data set: for preprocess and predict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.recipe import Preprocess
from samssl_cli.volumes.crop import nonzero_box
from samssl_cli.volumes.geometry import Geometry, from_native_image, to_ras
from samssl_cli.volumes.grid import NativeGrid, Spacing
from samssl_cli.volumes.normalize import CtWindow, apply_ct_window, zscore_nonzero
from samssl_cli.volumes.resample import target_shape

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
    image: Image, grid: NativeGrid, facts: Mapping[str, Any]
) -> tuple[NDArray[np.float16], Geometry]:
    """Crop, normalise and resample an image (C, native shape).

    Returns:
        (C, I, J, K) in RAS+, and how to get back to the native grid.
    """
    geometry = Geometry.of(grid)
    if facts["crop"] == "nonzero":
        geometry = geometry.cropped(*nonzero_box(to_ras(image, geometry)))
    if facts["spacing_mm"] is not None:
        i, j, k = facts["spacing_mm"]
        shape = target_shape(geometry.crop_shape, geometry.spacing_mm, (i, j, k))
        geometry = geometry.resampled(shape)
    normalised = _normalise(image, facts["ct_windows"])
    return from_native_image(normalised, geometry).astype(np.float16), geometry


def _normalise(image: Image, windows: Sequence[Mapping[str, float] | None]) -> Image:
    channels = [
        zscore_nonzero(channel[None]) if window is None else _windowed(channel[None], window)
        for channel, window in zip(image, windows, strict=True)
    ]
    return np.concatenate(channels)


def _windowed(channel: Image, window: Mapping[str, float]) -> Image:
    return apply_ct_window(channel, CtWindow(**window))
