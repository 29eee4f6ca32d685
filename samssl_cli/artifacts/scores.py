"""The scores of one checkpoint, prompt set or label artifact, with what was scored.

scores.zarr/values          value (rows, cases, classes, metrics)
scores.zarr/case.CASE       label maps in the native grid, rows of values, prompts, diagnosis
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.errors import StaleArtifactError
from samssl_cli.volumes.grid import NativeGrid

_PREFIX = "case."

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Row name (how the label map came about) to one record per foreground class."""


@dataclass(frozen=True)
class CaseScores:
    """What was measured on one case."""

    prediction: NDArray[np.uint8]
    """(I, J, K), native: the headline row."""
    grid: NativeGrid
    rows: Rows
    pseudo_label: NDArray[np.uint8] | None = None
    """(I, J, K), native: what sam-label would make of the prediction, where it was asked."""
    prompts: Sequence[Mapping[str, Any]] = ()
    """The unperturbed prompts, one record per object, in voxels of the preprocessed grid:
    `class_index`, `points` (N, 3), `is_positive` (N,), `box` (2, 3) or None."""
    diagnosis: Mapping[str, Any] = field(default_factory=dict)
    """Calibration and quality on the held-out mask; see `stages.diagnosis`."""


class Scores:
    """A sealed `scores.zarr`."""

    def __init__(self, path: Path) -> None:
        """Open complete scores.

        Raises:
            StaleArtifactError: when they were made before scores held what they hold now.
        """
        self._store = SealedStore(path, "scores")
        if "tolerance" not in self._store.about:
            raise StaleArtifactError(
                f"{path}: was scored by an older samssl, with fewer metrics and facts; run "
                "samssl evaluate again with --force"
            )
        self.path = path
        self.about = self._store.about
        self.manifest = self._store.manifest
        self.names = tuple(
            name.removeprefix(_PREFIX) for name in self._store.names if name.startswith(_PREFIX)
        )

    def rows(self, name: str) -> Rows:
        """Read the values of one case, without its label maps."""
        rows: Rows = self._store.attributes(_PREFIX + name)["rows"]
        return rows

    def diagnosis(self, name: str) -> Mapping[str, Any]:
        """Read the diagnosis of one case, without its label maps."""
        diagnosis: Mapping[str, Any] = self._store.attributes(_PREFIX + name)["diagnosis"]
        return diagnosis

    def read(self, name: str) -> CaseScores:
        """Read one case."""
        member = self._store.member(_PREFIX + name)
        return CaseScores(
            prediction=member.arrays["prediction"],
            grid=NativeGrid.from_json(member.attributes["grid"]),
            rows=member.attributes["rows"],
            pseudo_label=member.arrays.get("pseudo_label"),
            prompts=member.attributes["prompts"],
            diagnosis=member.attributes["diagnosis"],
        )


def case_member(name: str) -> str:
    """The name of the member that holds a case."""
    return _PREFIX + name


def write_case_scores(store: Store, name: str, scores: CaseScores) -> None:
    """Write one case."""
    arrays = {"prediction": scores.prediction}
    if scores.pseudo_label is not None:
        arrays["pseudo_label"] = scores.pseudo_label
    facts = {
        "grid": scores.grid.to_json(),
        "rows": {row: [dict(record) for record in records] for row, records in scores.rows.items()},
        "prompts": [dict(record) for record in scores.prompts],
        "diagnosis": dict(scores.diagnosis),
    }
    store.write(case_member(name), arrays, facts)


def write_values(
    store: Store,
    values: NDArray[np.float64],
    *,
    rows: Sequence[str],
    cases: Sequence[str],
    classes: Sequence[str],
    metrics: Sequence[str],
) -> None:
    """Write all values as one array (rows, cases, classes, metrics), its axes named."""
    axes = {"rows": rows, "cases": cases, "classes": classes, "metrics": metrics}
    named = {axis: list(names) for axis, names in axes.items()}
    store.write("values", {"value": values}, {"axes": named})
