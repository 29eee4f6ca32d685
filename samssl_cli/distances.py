"""Distances between voxel centres, exactly, in less time than scipy takes for large volumes."""

import numpy as np
import scipy
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_FEW_VOXELS = 2**16
"""Up to here scipy is as fast."""


def distance_to_false(mask: Mask, *, within: float | None = None) -> NDArray[np.float64]:
    """Give the distance of each true voxel to the nearest false one, 0 at false ones; in voxels.

    Of a mask that is true in a part of the volume, that part alone is looked at. Large volumes take
    0.3 to 0.6 of the time of `scipy.ndimage.distance_transform_edt`, for the same numbers: squared
    distances are whole numbers below 2^24.

    Args:
        mask: (I, J, K) bool, false somewhere.
        within: what is farther away than this may be infinitely far; where little is false, that
            takes a fraction of the time. None: every distance counts.

    Returns:
        (I, J, K).

    Source: Maurer et al., IEEE TPAMI 2003; SimpleITK's filter.
    """
    if within is not None:
        beyond, box = np.inf, _around(~mask, int(within) + 1)
    else:  # for none in this box a false voxel beyond it is nearer than one in it
        beyond, box = 0.0, _around(mask, 1)
    if box is None:
        return np.full(mask.shape, beyond)
    part = mask[box]
    transform = scipy.ndimage.distance_transform_edt if part.size <= _FEW_VOXELS else _by_maurer
    if part.shape == mask.shape:
        return np.asarray(transform(mask))
    distance = np.full(mask.shape, beyond)
    distance[box] = transform(part)
    return distance


def _around(mask: Mask, margin: int) -> tuple[slice, ...] | None:
    """The box of what is true, and so many voxels more, as far as there are any."""
    found = scipy.ndimage.find_objects(mask.view(np.uint8))
    if not found:
        return None
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, n))
        for side, n in zip(found[0], mask.shape, strict=True)
    )


def _by_maurer(mask: Mask) -> NDArray[np.float64]:
    import SimpleITK  # takes a quarter of a second

    measure = SimpleITK.SignedMaurerDistanceMapImageFilter()
    measure.SetSquaredDistance(True)
    measure.SetUseImageSpacing(False)
    measure.SetInsideIsPositive(False)
    measure.SetNumberOfThreads(1)  # as the processes around it, of which there may be several
    image = measure.Execute(SimpleITK.GetImageFromArray((~mask).view(np.uint8)))
    squared = SimpleITK.GetArrayViewFromImage(image)  # valid as long as the image is
    return np.sqrt(np.where(mask, squared, 0), dtype=np.float64)
