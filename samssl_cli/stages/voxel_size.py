"""At which voxel size a checkpoint predicts: at its own, whatever that of the cases.

A network knows how many voxels across things are. Given voxels of half the size it sees everything
twice as large as it has learned, so it predicts on the grid of its training, and the probabilities
are brought back onto the grid of the cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint

if TYPE_CHECKING:
    from samssl_cli.volumes.geometry import Geometry
    from samssl_cli.volumes.grid import Index, Spacing

Unit = Literal["mm", "file voxels"]


@dataclass(frozen=True)
class PredictionGrid:
    """The grid on which a checkpoint predicts each of the cases."""

    size: Spacing | None = None
    """Of the checkpoint's voxels, where those of a case are others; None: the grid of the case."""
    unit: Unit = "mm"
    of_cases: Spacing | None = None
    """The voxels of the cases; None where each case has its own."""

    @property
    def options(self) -> dict[str, Any]:
        """What a plan says of it: nothing where cases are predicted on their own grid."""
        if self.size is None:
            return {}
        return {"predicted_at": {"voxel_size": list(self.size), "unit": self.unit}}

    @property
    def note(self) -> str | None:
        """What a person is told of it, if anything."""
        if self.size is None:
            return None
        size, own = _words(self.size, self.unit), "each a size of its own"
        here = own if self.of_cases is None else _words(self.of_cases, self.unit)
        return (
            f"its images have voxels of {size}, these {here}: predictions are made at {size} and "
            "brought back"
        )

    def shape(self, geometry: Geometry) -> Index:
        """Voxels (I, J, K) of the grid on which a case is predicted; it covers the same extent."""
        if self.size is None:
            return geometry.shape
        from samssl_cli.volumes.resample import target_shape

        return target_shape(geometry.shape, geometry.spacing_mm, self.size)


def prediction_grid(cases: Cases, checkpoint: Checkpoint) -> PredictionGrid:
    """Find out whether the checkpoint was trained at another voxel size than that of the cases.

    Cases that kept their own voxel sizes are looked at one by one. A checkpoint that was trained on
    such cases knows no size of its own, and predicts on the grid of the cases.
    """
    unit = _common_unit(cases, checkpoint)
    size = _spacing(checkpoint.facts.preprocessing["spacing_mm"])
    of_cases = _spacing(cases.facts.preprocessing["spacing_mm"])
    if unit is None or size is None or size == of_cases:
        return PredictionGrid()
    from samssl_cli.volumes.resample import is_same_spacing

    found = [of_cases] if of_cases is not None else _spacings(cases)
    if all(is_same_spacing(one, size) for one in found):
        return PredictionGrid()
    return PredictionGrid(size, unit, of_cases)


def _common_unit(cases: Cases, checkpoint: Checkpoint) -> Unit | None:
    """In which unit the two sizes can be compared; None where nobody knows.

    Files without a voxel size count as 1 x 1 x 1. Between different data sets that says nothing; of
    one data set it still tells how many of its voxels went into one.
    """
    if cases.spacing_is_known and checkpoint.spacing_is_known:
        return "mm"
    if not cases.spacing_is_known and cases.facts.name == checkpoint.facts.name:
        return "file voxels"
    return None


def _spacings(cases: Cases) -> list[Spacing]:
    """The voxel sizes of the cases that may be predicted."""
    return [cases.geometry(name).spacing_mm for name in cases.unlabeled + cases.test]


def _spacing(stored: Sequence[float] | None) -> Spacing | None:
    if stored is None:
        return None
    i, j, k = stored
    return i, j, k


def _words(size: Spacing, unit: Unit) -> str:
    """A size for a person: "1.25 mm", "1 x 1 x 2.5 mm"."""
    numbers = [f"{side:.4g}" for side in size]
    shown = numbers[:1] if len(set(size)) == 1 else numbers
    return f"{' x '.join(shown)} {unit}"
