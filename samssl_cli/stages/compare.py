"""`samssl compare`: models that were scored on the same cases, each against the first.

It only reads, and writes no artifact: a comparison takes a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.scores import Scores
from samssl_cli.metrics import METRICS
from samssl_cli.metrics.columns import Column
from samssl_cli.metrics.paired import holm, paired
from samssl_cli.progress import Progress
from samssl_cli.report.comparison import Contrast, ModelComparison, ModelMean
from samssl_cli.stages.comparable import (
    check_classes,
    check_models,
    check_references,
    common_cases,
    common_columns,
    common_row,
    note_other_options,
    places_of_classes,
    row_in,
)

Values = NDArray[np.float64]


def compare(
    models: Mapping[str, Sequence[Path]],
    *,
    metrics: Sequence[str] = (),
    row: str | None = None,
    classes: Sequence[str] = (),
    on_common_cases: bool = False,
    level: float = 0.95,
    progress: Progress,
) -> ModelComparison:
    """Compare every model with the first, case by case.

    Args:
        models: name to the `scores.zarr` of its runs; a case counts with its mean over the runs.
        metrics: as in scores.csv; empty for Dice and the HD95 that is there.
        row: of the scores, or "headline" for each model's own; None for the headline of all.
        classes: empty for the mean over the classes and, when there are several, each of them.
        on_common_cases: leave out the cases that not every run was scored on.
        level: of the intervals; 1 - level is what an adjusted p has to be below.
        progress: where to report.

    Raises:
        SamsslError: when the scores cannot be compared, or an option names what they do not have.
    """
    runs = {name: [Scores(path) for path in paths] for name, paths in models.items()}
    everything = [scores for scored in runs.values() for scores in scored]
    check_models(runs)
    check_classes(everything)
    shown = common_row(everything, row)
    chosen = common_columns(everything, metrics)
    places = places_of_classes(everything[0], classes)
    cases = common_cases(everything, on_common_cases=on_common_cases)
    check_references(everything, cases, progress)
    note_other_options(everything, shown, progress)
    values = {
        name: np.stack([_values(one, cases, row_in(one, shown), chosen) for one in scored])
        for name, scored in runs.items()
    }
    return ModelComparison(
        row=shown,
        level=level,
        cases=tuple(cases),
        files={name: tuple(str(path) for path in paths) for name, paths in models.items()},
        contrasts=_contrasts(values, chosen, places, level),
    )


def _contrasts(
    values: Mapping[str, Values],
    columns: Sequence[Column],
    places: Mapping[str | None, slice],
    level: float,
) -> tuple[Contrast, ...]:
    """Every test, by metric, class and model; `values` are (runs, cases, classes, metrics) each."""
    baseline, *others = values
    found = []
    for index, one in enumerate(columns):
        for class_name, place in places.items():
            here = {name: table[:, :, place, index].mean(axis=2) for name, table in values.items()}
            found += [
                _contrast(one, class_name, {who: here[who] for who in (baseline, name)}, level)
                for name in others
            ]
    adjusted = holm([one.paired.p for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True))


def _contrast(
    column: Column, class_name: str | None, values: Mapping[str, Values], level: float
) -> Contrast:
    """One test by itself; `values` (runs, cases) of the baseline, then of the model."""
    theirs, ours = (table.mean(axis=0) for table in values.values())
    is_fraction = METRICS[column.metric].unit == "fraction"
    tested = paired(
        ours,
        theirs,
        higher_is_better=column.higher_is_better,
        level=level,
        bounds=(-1.0, 1.0) if is_fraction else (-np.inf, np.inf),
    )
    baseline, model = (_model_mean(name, table) for name, table in values.items())
    return Contrast(column, class_name, baseline, model, tested, p_holm=tested.p)


def _model_mean(name: str, values: Values) -> ModelMean:
    """Sum up the values (runs, cases) of one model."""
    means = values.mean(axis=1)
    std = float(means.std(ddof=1)) if len(means) > 1 else None
    return ModelMean(name, num_runs=len(means), mean=float(means.mean()), std_over_runs=std)


def _values(scores: Scores, cases: Sequence[str], row: str, columns: Sequence[Column]) -> Values:
    """One run's values (cases, classes, metrics), in the order of `cases`."""
    return np.array(
        [
            [[record["values"][one.name] for one in columns] for record in scores.rows(case)[row]]
            for case in cases
        ],
        np.float64,
    )
