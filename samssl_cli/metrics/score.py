"""Score one case, and sum up many, without ever dropping one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray

from samssl_cli.errors import DataError
from samssl_cli.metrics import METRICS
from samssl_cli.metrics.columns import column, columns
from samssl_cli.metrics.comparison import Comparison
from samssl_cli.metrics.intervals import mean_interval
from samssl_cli.metrics.surface import Spacing, diagonal
from samssl_cli.registry import load

Label = NDArray[np.integer[Any]]
Box = tuple[slice, ...]

_LARGEST = {"fraction": 1.0, "percent": 200.0}  # percent of the mean of two volumes


@dataclass(frozen=True)
class ClassScore:
    """The metrics of one class of one case."""

    class_index: int
    """1 … number of foreground classes."""
    values: dict[str, float]
    """One finite number for each column, see `columns`: `hd95_mm`, or `hd95_voxels`."""
    missed: bool
    """The reference has this class, the prediction has none of it."""
    spurious: bool
    """The prediction has this class, the reference has none of it."""
    is_empty: bool
    """Neither has it: the values are those of a perfect answer, but there was nothing to find."""
    prediction_ml: float
    """The volume of the prediction; in ml also where the metrics are in voxels."""
    reference_ml: float
    """The volume of the reference, likewise."""


@dataclass(frozen=True)
class ClassSummary:
    """One class over all cases."""

    class_index: int
    num_cases: int
    """How many cases the means are over: all of them."""
    num_missed: int
    num_spurious: int
    num_empty: int
    mean: dict[str, float]
    std: dict[str, float]
    """Of the sample (n - 1); 0 for a single case."""
    median: dict[str, float]
    low: dict[str, float]
    """The lower end of the 95 % interval of the mean; see `mean_interval`."""
    high: dict[str, float]
    """Its upper end."""


@dataclass(frozen=True)
class Summary:
    """All classes over all cases."""

    classes: tuple[ClassSummary, ...]
    mean: dict[str, float]
    """The mean over classes of their means; without a case, no metric at all."""


def score_case(
    prediction: Label,
    reference: Label,
    spacing_mm: Spacing,
    num_classes: int,
    *,
    tolerance: float,
    in_voxels: bool,
) -> list[ClassScore]:
    """Score every foreground class of one case.

    Args:
        prediction: (I, J, K) integer label map.
        reference: (I, J, K) integer label map.
        spacing_mm: of the voxels along (i, j, k).
        num_classes: classes with the background, as many as the network has channels.
        tolerance: surfaces this close agree for `nsd`; mm, or voxels with `in_voxels`.
        in_voxels: measure distances and volumes in voxels, whatever their size.

    Returns:
        The scores of classes 1 … num_classes - 1, in this order.

    Raises:
        DataError: when the two are not on the same grid.
    """
    if prediction.shape != reference.shape:
        raise DataError(
            f"the prediction has {prediction.shape} voxels, the reference {reference.shape}: "
            "predict the case again from the same cases artifact"
        )
    grid = _Grid(prediction.shape, spacing_mm, tolerance, in_voxels)
    boxes = zip(_boxes(prediction, num_classes), _boxes(reference, num_classes), strict=True)
    scores = []
    for index, (ours, theirs) in enumerate(boxes, start=1):
        frame = _joint(ours, theirs)
        masks = (np.equal(label[frame], index, order="C") for label in (prediction, reference))
        scores.append(_score_class(grid.compare(*masks), index, grid))
    return scores


def summarise(cases: Sequence[Sequence[ClassScore]]) -> Summary:
    """Sum up what `score_case` gave for each of several cases.

    A miss counts with its penalty and an empty class with its perfect value: no case leaves a mean,
    and the counts beside it say how many of each there were.
    """
    classes = tuple(_summarise_class(scores) for scores in zip(*cases, strict=True))
    names = classes[0].mean if classes else ()
    return Summary(classes, {name: fmean(one.mean[name] for one in classes) for name in names})


@dataclass(frozen=True)
class _Grid:
    """What the comparisons of all classes of a case share."""

    shape: tuple[int, ...]
    spacing_mm: Spacing
    tolerance: float
    in_voxels: bool

    @property
    def voxel_ml(self) -> float:
        return math.prod(self.spacing_mm) / 1000

    def compare(self, prediction: NDArray[np.bool_], reference: NDArray[np.bool_]) -> Comparison:
        spacing = (1.0, 1.0, 1.0) if self.in_voxels else self.spacing_mm
        return Comparison(
            prediction=prediction,
            reference=reference,
            spacing=spacing,
            worst_distance=diagonal(self.shape, spacing),
            tolerance=self.tolerance,
            voxel_volume=1.0 if self.in_voxels else self.voxel_ml,
        )


def _boxes(label: Label, num_classes: int) -> list[Box | None]:
    """The bounding box of every foreground class, in one pass; None for a class that is not there.

    A volume that lies in memory from the last axis on, as NIfTI's do, is walked transposed: three
    times as fast.
    """
    if num_classes < 2:
        return []
    if label.flags.f_contiguous:
        found = scipy.ndimage.find_objects(label.T, max_label=num_classes - 1)
        return [box and box[::-1] for box in found]
    return list(scipy.ndimage.find_objects(label, max_label=num_classes - 1))


def _joint(one: Box | None, other: Box | None) -> Box:
    """The box around both; a single voxel where there is neither."""
    boxes = [box for box in (one, other) if box is not None]
    if not boxes:
        return (slice(0, 1),) * 3
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )


def _score_class(comparison: Comparison, class_index: int, grid: _Grid) -> ClassScore:
    counts = comparison.counts
    return ClassScore(
        class_index=class_index,
        values={
            column.name: load(METRICS, column.metric, kind="metric")(comparison)
            for column in columns(in_voxels=grid.in_voxels)
        },
        missed=counts.reference > 0 and counts.prediction == 0,
        spurious=counts.prediction > 0 and counts.reference == 0,
        is_empty=counts.prediction == counts.reference == 0,
        prediction_ml=counts.prediction * grid.voxel_ml,
        reference_ml=counts.reference * grid.voxel_ml,
    )


def _summarise_class(scores: Sequence[ClassScore]) -> ClassSummary:
    names = tuple(scores[0].values)
    values = np.array([[score.values[name] for name in names] for score in scores], np.float64)
    low, high = _interval(values.tobytes(), names)
    std = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(len(names))

    def by_name(row: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(names, row.tolist(), strict=True))

    return ClassSummary(
        class_index=scores[0].class_index,
        num_cases=len(scores),
        num_missed=sum(score.missed for score in scores),
        num_spurious=sum(score.spurious for score in scores),
        num_empty=sum(score.is_empty for score in scores),
        mean=by_name(values.mean(axis=0)),
        std=by_name(std),
        median=by_name(np.median(values, axis=0)),
        low=by_name(low),
        high=by_name(high),
    )


@lru_cache(maxsize=1024)  # a table and a file ask about the same scores
def _interval(
    values: bytes, names: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of the mean of each column of (cases, metrics) float64."""
    table = np.frombuffer(values, np.float64).reshape(-1, len(names))
    return mean_interval(table, bounds=(0, [largest_value(name) for name in names]))


def largest_value(name: str) -> float:
    """The largest value that the metric of a column can have; none is below 0."""
    return _LARGEST.get(METRICS[column(name).metric].unit, math.inf)
