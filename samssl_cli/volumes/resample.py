"""Change the number of voxels of a volume; its extent in space stays the same.

Voxels are little boxes: the outer faces of the first and last voxel stay where they are, so output
voxel y samples the input at x = (y + 0.5) * n_in / n_out - 0.5 (`grid_mode=True` of scipy's zoom).
`Geometry.affine` says the same in millimetres. Shrinking does not blur first, as in nnU-Net, unless
`resample_antialiased` is called.
"""

import math
from typing import Literal

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray

from samssl_cli.volumes.grid import Index, Spacing
from samssl_cli.volumes.voxels import Image

Order = Literal[1, 3]
"""Linear, or cubic splines."""

_FWHM = 2 * math.sqrt(2 * math.log(2))  # full width at half maximum of a Gaussian, in sigmas
_SAME_SPACING = 1e-3  # relative; closer spacings are the same, and nothing is interpolated


def target_shape(shape: Index, spacing_mm: Spacing, new_spacing_mm: Spacing) -> Index:
    """Voxels that cover the same extent at another spacing: rounded, and at least 1 per axis."""
    i, j, k = (
        n if _is_same(old, new) else max(1, round(n * old / new))
        for n, old, new in zip(shape, spacing_mm, new_spacing_mm, strict=True)
    )
    return i, j, k


def is_same_spacing(spacing_mm: Spacing, other_mm: Spacing) -> bool:
    """Whether volumes of the two spacings need no resampling."""
    return all(_is_same(old, new) for old, new in zip(spacing_mm, other_mm, strict=True))


def resample_image(image: Image, shape: Index, *, order: Order = 3) -> Image:
    """Interpolate (C, I, J, K) to (C, *shape), float32.

    Splines of order 3 overshoot at edges; the result is clamped to each channel's own range.
    An image that has the shape already is returned as it is.
    """
    if image.shape[1:] == shape:
        return image
    return np.stack([_clamped(channel, shape, order=order) for channel in image])


def resample_antialiased(image: Image, shape: Index) -> Image:
    """Interpolate with cubic splines, and blur first along the axes that get fewer voxels.

    Along an axis that shrinks by a factor f, a Gaussian whose full width at half maximum is
    sqrt(f ** 2 - 1) voxels makes the voxels as wide as the new ones. Other axes stay sharp.

    Source: Cardoso et al., Scale factor point spread function matching, MICCAI 2015; as in TorchIO.
    """
    factors = (before / after for before, after in zip(image.shape[1:], shape, strict=True))
    sigmas = [math.sqrt(max(0.0, factor**2 - 1)) / _FWHM for factor in factors]
    if any(sigmas):
        image = scipy.ndimage.gaussian_filter(image, (0, *sigmas), mode="nearest")
    return resample_image(image, shape)


def resample_label(label: NDArray[np.uint8], shape: Index, num_classes: int) -> NDArray[np.uint8]:
    """Interpolate (I, J, K) to `shape`: each class linearly, then the class that weighs most.

    Equal weights go to the lower class, so to the background first. A label that has the shape
    already is returned as it is.
    """
    if label.shape == shape:
        return label
    winner = np.zeros(shape, np.uint8)
    weight = _zoom((label == 0).astype(np.float32), shape, order=1)
    for class_index in range(1, num_classes):
        candidate = _zoom((label == class_index).astype(np.float32), shape, order=1)
        winner[candidate > weight] = class_index
        weight = np.maximum(weight, candidate)
    return winner


def _is_same(old_mm: float, new_mm: float) -> bool:
    return abs(old_mm / new_mm - 1) < _SAME_SPACING


def _clamped(channel: Image, shape: Index, *, order: Order) -> Image:
    return np.clip(_zoom(channel, shape, order=order), channel.min(), channel.max())


def _zoom(channel: Image, shape: Index, *, order: Order) -> Image:
    factors = [after / before for before, after in zip(channel.shape, shape, strict=True)]
    zoomed = scipy.ndimage.zoom(channel, factors, order=order, mode="nearest", grid_mode=True)
    assert zoomed.shape == shape, (zoomed.shape, shape)
    return np.asarray(zoomed, np.float32)
