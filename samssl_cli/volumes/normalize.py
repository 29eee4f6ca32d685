"""Intensities on one scale: z-scores for MRI, a window of the foreground for CT.

Every result is finite and far inside the range of float16, in which cases are stored.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.errors import DataError
from samssl_cli.volumes.voxels import Image

_LIMIT = 1e4  # float16 ends at 65504; a z-score over n voxels cannot pass sqrt(n)
_CONSTANT = 1e-6  # a standard deviation below this part of the largest intensity is rounding


@dataclass(frozen=True)
class CtWindow:
    """What `apply_ct_window` needs, in the unit of the images (HU)."""

    low: float
    high: float
    mean: float
    std: float


def zscore_nonzero(image: Image) -> Image:
    """Give each channel of (C, I, J, K) mean 0 and standard deviation 1 over its non-zero voxels.

    The same map is applied to every voxel, zeros included, so that air keeps one value below the
    tissue. A channel that is constant where it is not zero becomes 0 everywhere.

    Differs: nnU-Net leaves the zeros at 0 when it normalises in a mask, level with mean tissue.
    """
    return np.stack([_zscore(channel) for channel in image])


def ct_window(values_in_foreground: NDArray[np.generic]) -> CtWindow:
    """The window of a data set, from the intensities under all labeled foreground voxels.

    low and high are the 0.5 and 99.5 percentiles; mean and standard deviation are of all values.

    Raises:
        DataError: when there are no values.
    Source: Isensee et al., Nature Methods 2021, "CT normalization"; nnU-Net `CTNormalization`.
    """
    values = np.asarray(values_in_foreground, np.float64)
    if not values.size:
        raise DataError(
            "a CT window is made from labeled foreground, but the labeled cases have none; "
            "use preprocess.intensity=zscore, or add a labeled case that shows the structure"
        )
    low, high = np.percentile(values, [0.5, 99.5])
    return CtWindow(float(low), float(high), float(values.mean()), float(values.std()))


def apply_ct_window(image: Image, window: CtWindow) -> Image:
    """(clip(image, low, high) - mean) / std, any shape; 0 everywhere for a window without width."""
    return _standardised(np.clip(image, window.low, window.high), window.mean, window.std)


def _zscore(channel: Image) -> Image:
    values = channel[channel != 0].astype(np.float64)
    if not values.size:
        return np.zeros_like(channel)
    return _standardised(channel, float(values.mean()), float(values.std()))


def _standardised(image: Image, mean: float, std: float) -> Image:
    if std <= _CONSTANT * max(abs(mean), float(np.abs(image).max())):
        return np.zeros_like(image)
    return np.asarray(np.clip((image - mean) / std, -_LIMIT, _LIMIT), np.float32)
