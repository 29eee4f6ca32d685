"""How well two images match, place by place."""

import numpy as np
from scipy import ndimage

from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.voxels import Image

_FLAT = 1e-4  # variance, relative to the whole image's, below which a place has no structure


def local_correlation(one: Image, other: Image, spacing_mm: Spacing, *, window_mm: float) -> Image:
    """Normalised cross-correlation of two images in a Gaussian window around every voxel.

    (E[ab] - E[a] E[b]) / sqrt(Var[a] Var[b]); where one of the two is flat, 0.

    Args:
        one: (I, J, K).
        other: (I, J, K), on the same grid; scale and offset do not matter.
        spacing_mm: voxel sizes.
        window_mm: standard deviation of the window.

    Returns:
        (I, J, K) float32 in -1 to 1.

    Source: Avants et al., Medical Image Analysis 12(1), 2008 (local cross-correlation).
    """
    a, b = (np.asarray(image, np.float64) - image.mean(dtype=np.float64) for image in (one, other))
    sigma = [window_mm / size for size in spacing_mm]

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=3))

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    has_structure = (var_a > _FLAT * a.var()) & (var_b > _FLAT * b.var())
    scale = np.sqrt(np.where(has_structure, var_a * var_b, 1.0))
    correlation = np.where(has_structure, (mean(a * b) - mean_a * mean_b) / scale, 0.0)
    return np.asarray(np.clip(correlation, -1, 1), np.float32)
