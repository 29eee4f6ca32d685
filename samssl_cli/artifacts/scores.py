"""The scores of one checkpoint or label artifact, with the predictions that were scored.

scores.zarr/values          value (rows, cases, classes, metrics)
scores.zarr/case.CASE       the cleaned prediction in the native grid, and its rows of values
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.volumes.grid import NativeGrid

_PREFIX = "case."

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Row name (how the prediction was cleaned) to one record per foreground class."""


@dataclass(frozen=True)
class CaseScores:
    """What was measured on one case."""

    prediction: NDArray[np.uint8]
    """(I, J, K), native."""
    grid: NativeGrid
    rows: Rows


class Scores:
    """A sealed `scores.zarr`."""

    def __init__(self, path: Path) -> None:
        """Open complete scores."""
        self._store = SealedStore(path, "scores")
        self.path = path
        self.about = self._store.about
        self.names = tuple(
            name.removeprefix(_PREFIX) for name in self._store.names if name.startswith(_PREFIX)
        )

    def rows(self, name: str) -> Rows:
        """Read the values of one case, without its prediction."""
        rows: Rows = self._store.attributes(_PREFIX + name)["rows"]
        return rows

    def read(self, name: str) -> CaseScores:
        """Read one case."""
        member = self._store.member(_PREFIX + name)
        return CaseScores(
            prediction=member.arrays["prediction"],
            grid=NativeGrid.from_json(member.attributes["grid"]),
            rows=member.attributes["rows"],
        )


def case_member(name: str) -> str:
    """The name of the member that holds a case."""
    return _PREFIX + name


def write_case_scores(store: Store, name: str, scores: CaseScores) -> None:
    """Write one case."""
    rows = {row: [dict(record) for record in records] for row, records in scores.rows.items()}
    store.write(
        case_member(name),
        {"prediction": scores.prediction},
        {"grid": scores.grid.to_json(), "rows": rows},
    )


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
