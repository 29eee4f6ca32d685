"""Score one case, and sum up many, without ever dropping one."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.errors import DataError
from samssl_cli.metrics import METRICS
from samssl_cli.metrics.comparison import Comparison
from samssl_cli.metrics.surface import Spacing
from samssl_cli.registry import load

Label = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ClassScore:
    """The metrics of one class of one case."""

    class_index: int
    """1 … number of foreground classes."""
    values: dict[str, float]
    """One finite number for each row of METRICS."""
    missed: bool
    """The reference has this class, the prediction has none of it."""
    spurious: bool
    """The prediction has this class, the reference has none of it."""
    is_empty: bool
    """Neither has it: the values are those of a perfect answer, but there was nothing to find."""


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


@dataclass(frozen=True)
class Summary:
    """All classes over all cases."""

    classes: tuple[ClassSummary, ...]
    mean: dict[str, float]
    """The mean over classes of their means; without a case, no metric at all."""


def score_case(
    prediction: Label, reference: Label, spacing_mm: Spacing, num_classes: int
) -> list[ClassScore]:
    """Score every foreground class of one case.

    Args:
        prediction: (I, J, K) integer label map.
        reference: (I, J, K) integer label map.
        spacing_mm: of the voxels along (i, j, k).
        num_classes: classes with the background, as many as the network has channels.

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
    return [
        _score_class(Comparison(prediction == index, reference == index, spacing_mm), index)
        for index in range(1, num_classes)
    ]


def summarise(cases: Sequence[Sequence[ClassScore]]) -> Summary:
    """Sum up what `score_case` gave for each of several cases.

    A miss counts with its penalty and an empty class with its perfect value: no case leaves a mean,
    and the counts beside it say how many of each there were.
    """
    classes = tuple(_summarise_class(scores) for scores in zip(*cases, strict=True))
    names = classes[0].mean if classes else ()
    return Summary(classes, {name: fmean(one.mean[name] for one in classes) for name in names})


def _score_class(comparison: Comparison, class_index: int) -> ClassScore:
    is_predicted, is_there = comparison.prediction.any(), comparison.reference.any()
    return ClassScore(
        class_index=class_index,
        values={name: load(METRICS, name, kind="metric")(comparison) for name in METRICS},
        missed=bool(is_there and not is_predicted),
        spurious=bool(is_predicted and not is_there),
        is_empty=not (is_there or is_predicted),
    )


def _summarise_class(scores: Sequence[ClassScore]) -> ClassSummary:
    names = scores[0].values
    columns = {name: [score.values[name] for score in scores] for name in names}
    return ClassSummary(
        class_index=scores[0].class_index,
        num_cases=len(scores),
        num_missed=sum(score.missed for score in scores),
        num_spurious=sum(score.spurious for score in scores),
        num_empty=sum(score.is_empty for score in scores),
        mean={name: fmean(column) for name, column in columns.items()},
        std={name: stdev(column) if len(column) > 1 else 0.0 for name, column in columns.items()},
    )
