"""How far apart the surfaces of two masks are, in millimetres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances from every surface voxel of one mask to the nearest surface voxel of the other."""

    prediction_to_reference: NDArray[np.float64]
    """(N,) mm, one for each surface voxel of the prediction."""
    reference_to_prediction: NDArray[np.float64]
    """(M,) mm, one for each surface voxel of the reference."""


def surface_distances(
    prediction: NDArray[np.bool_], reference: NDArray[np.bool_], spacing_mm: Spacing
) -> SurfaceDistances:
    """Measure the distances between two surfaces, both ways.

    The surface is the mask minus its erosion by the six face neighbours; what lies beyond the
    volume counts as outside. Distances run between voxel centres.

    Shapes: (I, J, K) bool for both. Both empty: one distance of 0 each way. Exactly one empty: one
    distance each way, the diagonal of the volume, larger than any that two masks in it can have.
    Source: medpy.metric.binary (`__surface_distances`).
    Differs: medpy raises when a mask is empty. Only the joint bounding box is looked at, which
        changes no distance.
    """
    assert prediction.shape == reference.shape, (prediction.shape, reference.shape)
    is_empty = not prediction.any(), not reference.any()
    if any(is_empty):
        distance = 0.0 if all(is_empty) else diagonal_mm(prediction.shape, spacing_mm)
        return SurfaceDistances(np.array([distance]), np.array([distance]))
    (frame,) = ndimage.find_objects((prediction | reference).astype(np.uint8))
    ours, theirs = surface(prediction[frame]), surface(reference[frame])
    return SurfaceDistances(
        _distance_to(theirs, spacing_mm)[ours], _distance_to(ours, spacing_mm)[theirs]
    )


def hd95(distances: SurfaceDistances) -> float:
    """Give the 95th percentile of the distances of both directions, pooled; in mm.

    Source: medpy.metric.binary.hd95, as the literature on the Left Atrium uses it.
    Differs: not MONAI's, which takes the larger of the two directions' percentiles.
    """
    pooled = (distances.prediction_to_reference, distances.reference_to_prediction)
    return float(np.percentile(np.concatenate(pooled), 95))


def asd(distances: SurfaceDistances) -> float:
    """Give the mean distance from the prediction's surface to the reference's; in mm.

    One direction only, as in the literature: a part of the reference that was missed altogether
    does not count, so read it beside Dice and HD95.

    Source: medpy.metric.binary.asd.
    """
    return float(distances.prediction_to_reference.mean())


def surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the voxels of a mask with a face neighbour outside it; (I, J, K) bool to the same."""
    return mask & ~ndimage.binary_erosion(mask)


def diagonal_mm(shape: tuple[int, ...], spacing_mm: Spacing) -> float:
    """Give the diagonal of a volume, from corner to corner of its outermost voxels; in mm."""
    return float(np.linalg.norm(np.multiply(shape, spacing_mm)))


def _distance_to(target: NDArray[np.bool_], spacing_mm: Spacing) -> NDArray[np.float64]:
    """The distance of every voxel to the nearest voxel of `target`, in mm."""
    return np.asarray(
        ndimage.distance_transform_edt(~target, sampling=spacing_mm), dtype=np.float64
    )
