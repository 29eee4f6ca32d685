"""The scores of one checkpoint, prompt set or label artifact, with what was scored.

scores.zarr/values          value (rows, cases, classes, metrics)
scores.zarr/case.CASE       label maps in the native grid, rows of values, prompts, diagnosis
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import texts, understanding_what_is_left, understood
from samssl_cli.artifacts.members import read_member_attributes
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.errors import StaleArtifactError
from samssl_cli.volumes.grid import NativeGrid

_PREFIX = "case."
_LARGEST = 1e100  # sums of more would be infinite
_RECORD = {
    "class_index",
    "values",
    "missed",
    "spurious",
    "is_empty",
    "prediction_ml",
    "reference_ml",
}

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

    @understood
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
        _check_about(self.about)
        _check_inputs(self._store.manifest.plan)
        self.manifest = self._store.manifest
        self.names = tuple(
            name.removeprefix(_PREFIX) for name in self._store.names if name.startswith(_PREFIX)
        )

    @understood
    def rows(self, name: str) -> Rows:
        """Read the values of one case, without its label maps."""
        rows: Rows = self._store.attributes(_PREFIX + name)["rows"]
        for row in self.about["rows"]:
            _check_records(rows.get(row, ()), self.about)
        return rows

    @understood
    def diagnosis(self, name: str) -> Mapping[str, Any]:
        """Read the diagnosis of one case, without its label maps."""
        diagnosis: Mapping[str, Any] = self._store.attributes(_PREFIX + name)["diagnosis"]
        return diagnosis

    @understood
    def read(self, name: str) -> CaseScores:
        """Read one case."""
        member = self._store.member(_PREFIX + name)
        grid = NativeGrid.from_json(member.attributes["grid"])
        maps = {key: member.arrays.get(key) for key in ("prediction", "pseudo_label")}
        for key, found in maps.items():
            if found is not None and found.shape != grid.shape:
                raise ValueError(f"{key} of shape {found.shape}, expected {grid.shape}")
        return CaseScores(
            prediction=member.arrays["prediction"],
            grid=grid,
            rows=member.attributes["rows"],
            pseudo_label=maps["pseudo_label"],
            prompts=member.attributes["prompts"],
            diagnosis=member.attributes["diagnosis"],
        )


def _check_about(about: Mapping[str, Any]) -> None:
    """Raise a `ValueError` or `KeyError` for facts that no scores have."""
    classes, rows, metrics = (texts(about[key]) for key in ("class_names", "rows", "metrics"))
    if about["headline"] not in rows or not metrics or len(classes) < 2:
        raise ValueError(f"headline {str(about['headline'])[:80]!r} of rows {rows}")
    if type(about["tolerance"]) not in (int, float):
        raise ValueError(f"tolerance {str(about['tolerance'])[:80]!r}, expected a number")


def _check_inputs(plan: Mapping[str, Any]) -> None:
    """Raise a `KeyError` or `TypeError` where it is not said what was scored, and how."""
    assert plan["inputs"]["cases"]
    assert plan["inputs"]["what"]
    assert plan["options"]["evaluate"]["blur_sigma_voxels"]


def _check_records(records: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Raise a `ValueError` or `KeyError` unless there is one whole record per class, or none."""
    if len(records) not in (0, len(about["class_names"]) - 1):
        raise ValueError(f"{len(records)} records, expected one per class")
    for class_index, record in enumerate(records, start=1):
        if set(record) != _RECORD or record["class_index"] != class_index:
            raise ValueError(f"record {str(record)[:80]}, expected one of class {class_index}")
        if not all(type(record[flag]) is bool for flag in ("missed", "spurious", "is_empty")):
            raise ValueError(f"record {str(record)[:80]}, expected true or false")
        numbers = [record["values"][name] for name in about["metrics"]]
        numbers += [record["prediction_ml"], record["reference_ml"]]
        if not all(type(one) in (int, float) and abs(one) <= _LARGEST for one in numbers):
            raise ValueError(f"values {str(record)[:80]}, expected numbers")


def rows_of_draft(
    store: Store,
    name: str,
    about: Mapping[str, Any],
    check_diagnosis: Callable[[Mapping[str, Any]], None],
) -> Rows:
    """The values of one case in a draft, before it is sealed.

    Args:
        store: the draft.
        name: of the case.
        about: `rows`, `metrics` and `class_names`.
        check_diagnosis: raises a KeyError, TypeError or ValueError for one that nobody made.

    Raises:
        DamagedArtifactError: when they are none that samssl wrote.
    """
    path = store.member(case_member(name))
    with understanding_what_is_left(path):
        attributes = read_member_attributes(path)
        check_diagnosis(attributes["diagnosis"])
        found: Rows = attributes["rows"]
        for row in about["rows"]:
            if not found[row]:
                raise ValueError(f"row {row} is empty")
            _check_records(found[row], about)
        return found


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
