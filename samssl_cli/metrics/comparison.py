"""What a row of the METRICS table is given, and the rows themselves.

A new metric is one file with a function of a `Comparison`, and one row.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from samssl_cli.metrics.overlap import dice, jaccard
from samssl_cli.metrics.surface import Spacing, SurfaceDistances, asd, hd95, surface_distances


@dataclass(frozen=True)
class Comparison:
    """One class of one case: the prediction beside the reference."""

    prediction: NDArray[np.bool_]
    """(I, J, K)."""
    reference: NDArray[np.bool_]
    """(I, J, K)."""
    spacing_mm: Spacing

    @cached_property
    def distances(self) -> SurfaceDistances:
        """The distances between the surfaces, computed once for all metrics."""
        return surface_distances(self.prediction, self.reference, self.spacing_mm)


def dice_of(comparison: Comparison) -> float:
    """Give the row `dice`."""
    return dice(comparison.prediction, comparison.reference)


def jaccard_of(comparison: Comparison) -> float:
    """Give the row `jaccard`."""
    return jaccard(comparison.prediction, comparison.reference)


def hd95_of(comparison: Comparison) -> float:
    """Give the row `hd95_mm`."""
    return hd95(comparison.distances)


def asd_of(comparison: Comparison) -> float:
    """Give the row `asd_mm`."""
    return asd(comparison.distances)
