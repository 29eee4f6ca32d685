"""How far apart the surfaces of two masks are, in the unit of the spacing: mm, or voxels."""

from dataclasses import dataclass

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray

Spacing = tuple[float, float, float]
Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]

_SLACK = 1 + 1e-6  # spacings are float32 in a NIfTI header: 3 x 0.1 mm is a hair above 0.3 mm

# Beyond this many mean voxel sides, many target voxels may be almost equally near, and a tree has
# to look at each: measured, a ball inside a shell takes it 16 s and a distance transform 5 s.
_NEAR = 16
# A distance transform takes as long for this many voxels as a tree for one target voxel, at worst.
_VOXELS_PER_LOOK = 30


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances from every surface voxel of one mask to the nearest surface voxel of the other."""

    prediction_to_reference: Distances
    """(N,), one for each surface voxel of the prediction."""
    reference_to_prediction: Distances
    """(M,), one for each surface voxel of the reference."""


def surface_distances(
    prediction: Mask, reference: Mask, spacing: Spacing, worst: float
) -> SurfaceDistances:
    """Measure the distances between two surfaces, both ways.

    The surface is the mask minus its erosion by the six face neighbours; what lies beyond the
    array counts as outside. Distances run between voxel centres and are exact.

    Shapes: (I, J, K) bool for both. A box that holds both masks is enough: cropping to it changes
    no distance. Both empty: one distance of 0 each way. Exactly one empty: one distance of `worst`
    each way; take the diagonal of the whole volume, more than two masks in it can be apart.
    Source: medpy.metric.binary, which gives the same numbers.
    Differs: medpy raises when a mask is empty.
    """
    assert prediction.shape == reference.shape, (prediction.shape, reference.shape)
    is_empty = not prediction.any(), not reference.any()
    if any(is_empty):
        distance = 0.0 if all(is_empty) else worst
        return SurfaceDistances(np.array([distance]), np.array([distance]))
    ours, theirs = surface(prediction), surface(reference)
    return SurfaceDistances(_nearest(ours, theirs, spacing), _nearest(theirs, ours, spacing))


def hd(distances: SurfaceDistances) -> float:
    """Give the largest of the distances of both directions, the Hausdorff distance.

    Source: Huttenlocher et al., TPAMI 1993; medpy.metric.binary.hd.
    """
    return float(_pooled(distances).max())


def hd95(distances: SurfaceDistances) -> float:
    """Give the 95th percentile of the distances of both directions, pooled.

    Source: medpy.metric.binary.hd95, as the literature on the Left Atrium uses it.
    Differs: not MONAI's, which takes the larger of the two directions' percentiles.
    """
    return float(np.percentile(_pooled(distances), 95))


def asd(distances: SurfaceDistances) -> float:
    """Give the mean distance from the prediction's surface to the reference's.

    One direction only, as in the literature: a part of the reference that was missed altogether
    does not count, so read it beside Dice, HD95 and ASSD.

    Source: medpy.metric.binary.asd.
    """
    return float(distances.prediction_to_reference.mean())


def assd(distances: SurfaceDistances) -> float:
    """Give the mean of the distances of both directions, pooled.

    Source: Heimann et al., IEEE TMI 2009; medpy.metric.binary.assd (0.5.2), and MONAI's symmetric
    average surface distance. The larger surface weighs more than in the mean of two means.
    """
    both = distances.prediction_to_reference, distances.reference_to_prediction
    return float(both[0].sum() + both[1].sum()) / (both[0].size + both[1].size)


def nsd(distances: SurfaceDistances, tolerance: float) -> float:
    """Give the share of both surfaces' voxels that lie within `tolerance` of the other surface.

    (|d_pr <= tolerance| + |d_rp <= tolerance|) / (N + M); the tolerance has the distances' unit.

    Source: Nikolov et al., arXiv:1809.04430; monai.metrics.compute_surface_dice.
    Differs: every surface voxel weighs the same; Nikolov et al. weigh pieces of surface by area.
    """
    return float(np.mean(_pooled(distances) <= tolerance * _SLACK))


def surface(mask: Mask) -> Mask:
    """Mark the voxels of a mask with a face neighbour outside it; (I, J, K) bool to the same."""
    return mask & ~scipy.ndimage.binary_erosion(mask)


def diagonal(shape: tuple[int, ...], spacing: Spacing) -> float:
    """Give the diagonal of a volume, from corner to corner of its outermost voxels."""
    return float(np.linalg.norm(np.multiply(shape, spacing)))


def _pooled(distances: SurfaceDistances) -> Distances:
    return np.concatenate([distances.prediction_to_reference, distances.reference_to_prediction])


def _nearest(points: Mask, targets: Mask, spacing: Spacing) -> Distances:
    """The distance of each voxel of `points` to the nearest of `targets`, in memory order."""
    where, among = np.argwhere(points) * spacing, np.argwhere(targets) * spacing
    tree = scipy.spatial.KDTree(among, leafsize=32, balanced_tree=False)
    near = _NEAR * float(np.prod(spacing)) ** (1 / 3)
    distances = np.asarray(tree.query(where, distance_upper_bound=near)[0], np.float64)
    is_far = np.isinf(distances)
    if np.count_nonzero(is_far) * len(among) <= _VOXELS_PER_LOOK * targets.size:
        distances[is_far] = tree.query(where[is_far])[0]
    else:
        everywhere = scipy.ndimage.distance_transform_edt(~targets, sampling=spacing)
        distances[is_far] = np.asarray(everywhere)[points][is_far]
    return distances
