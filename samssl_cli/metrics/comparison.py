"""What a row of the METRICS table is given, and the rows themselves.

A new metric is one file with a function of a `Comparison`, and one row.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from samssl_cli.metrics import overlap, surface


@dataclass(frozen=True)
class Comparison:
    """One class of one case: the prediction beside the reference."""

    prediction: NDArray[np.bool_]
    """(I, J, K): a part of the volume that holds all of both masks."""
    reference: NDArray[np.bool_]
    """(I, J, K): the same part."""
    spacing: surface.Spacing
    """Of the voxels along (i, j, k), in the unit of the distances: mm; or 1 each, for voxels."""
    worst_distance: float
    """What a miss costs: the diagonal of the whole volume, in the unit of the distances."""
    tolerance: float
    """Surfaces this close agree, in the unit of the distances."""
    voxel_volume: float
    """Of one voxel, in the unit of the volumes: ml; or 1, for voxels."""

    @cached_property
    def counts(self) -> overlap.Counts:
        """The numbers of voxels, counted once for all metrics."""
        return overlap.count(self.prediction, self.reference)

    @cached_property
    def distances(self) -> surface.SurfaceDistances:
        """The distances between the surfaces, computed once for all metrics."""
        return surface.surface_distances(
            self.prediction, self.reference, self.spacing, self.worst_distance
        )


def dice_of(comparison: Comparison) -> float:
    """Give the row `dice`."""
    return overlap.dice(comparison.counts)


def jaccard_of(comparison: Comparison) -> float:
    """Give the row `jaccard`."""
    return overlap.jaccard(comparison.counts)


def precision_of(comparison: Comparison) -> float:
    """Give the row `precision`."""
    return overlap.precision(comparison.counts)


def recall_of(comparison: Comparison) -> float:
    """Give the row `recall`."""
    return overlap.recall(comparison.counts)


def volume_difference_of(comparison: Comparison) -> float:
    """Give the row `volume_difference_ml`."""
    return overlap.volume_difference(comparison.counts, comparison.voxel_volume)


def volume_difference_percent_of(comparison: Comparison) -> float:
    """Give the row `volume_difference_percent`."""
    return overlap.volume_difference_percent(comparison.counts)


def hd95_of(comparison: Comparison) -> float:
    """Give the row `hd95_mm`."""
    return surface.hd95(comparison.distances)


def hd_of(comparison: Comparison) -> float:
    """Give the row `hd_mm`."""
    return surface.hd(comparison.distances)


def asd_of(comparison: Comparison) -> float:
    """Give the row `asd_mm`."""
    return surface.asd(comparison.distances)


def assd_of(comparison: Comparison) -> float:
    """Give the row `assd_mm`."""
    return surface.assd(comparison.distances)


def nsd_of(comparison: Comparison) -> float:
    """Give the row `nsd`."""
    counts = comparison.counts
    if (counts.prediction == 0) != (counts.reference == 0):
        return 0.0  # a miss agrees nowhere, however large the tolerance
    return surface.nsd(comparison.distances, comparison.tolerance)
