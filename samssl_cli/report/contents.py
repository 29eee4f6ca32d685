"""What a report shows, as plain arrays and words: stages fill it, `page` and `figures` draw it."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samssl_cli.metrics.columns import Column

RowKind = Literal["prediction", "control", "sanity", "upper-bound"]


@dataclass(frozen=True)
class ScoredRow:
    """One way to come by a label map, scored on every case."""

    name: str
    """`largest-component`, `template`, or the name of another model."""
    kind: RowKind
    explanation: str
    """One sentence for a reader who has never seen this row."""
    values: NDArray[np.float64]
    """(cases, classes, metrics), in the units of the artifact: overlaps 0-1."""
    missed: NDArray[np.bool_]
    """(cases, classes): the reference has the class, the prediction has none of it."""
    mean: NDArray[np.float64]
    """(classes, metrics), over the cases; so are the following."""
    std: NDArray[np.float64]
    median: NDArray[np.float64]
    low: NDArray[np.float64]
    """Lower end of the bootstrap 95 % interval of the mean."""
    high: NDArray[np.float64]
    """Its upper end."""
    overall_low: NDArray[np.float64] | None = None
    """(metrics,), of the mean over the classes; None where it was not computed."""
    overall_high: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Fact:
    """One line of the label budget and the provenance."""

    group: str
    name: str
    value: str


@dataclass(frozen=True)
class Notice:
    """Something a reader must not overlook."""

    level: Literal["info", "warning"]
    text: str


@dataclass(frozen=True)
class Curve:
    """One loss term over a training."""

    name: str
    values: NDArray[np.float32]
    """(steps,), NaN where the term was not computed."""


@dataclass(frozen=True)
class Reliability:
    """How often a predicted probability came true."""

    name: str
    confidence: NDArray[np.float64]
    """(bins,) mean predicted probability, NaN for an empty bin."""
    frequency: NDArray[np.float64]
    """(bins,) observed share, NaN for an empty bin."""
    count: NDArray[np.int64]
    """(bins,) voxels."""
    ece: float
    """Expected calibration error, 0-1."""


@dataclass(frozen=True)
class QualityTable:
    """A small table of a diagnosis, its cells ready to print."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Layer:
    """A label map to lay over the image."""

    name: str
    """`prediction`, `reference`, `generalist's answer`."""
    label: NDArray[np.uint8]
    """(I, J, K), RAS+."""


@dataclass(frozen=True)
class Click:
    """A point prompt."""

    position: tuple[int, int, int]
    is_positive: bool


@dataclass(frozen=True)
class CaseView:
    """One case to look at."""

    name: str
    rank: str
    """`best`, `median` or `worst`."""
    summary: str
    """Its scores in words: `Dice 91.2, HD95 3.4 mm`."""
    image: NDArray[np.uint8]
    """(I, J, K), RAS+, already windowed for the eye."""
    spacing_mm: tuple[float, float, float]
    layers: tuple[Layer, ...]
    clicks: tuple[Click, ...] = ()
    boxes: tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...] = ()
    """Low inclusive, high exclusive."""


@dataclass(frozen=True)
class Contents:
    """Everything on the page."""

    title: str
    subtitle: str
    """What was scored on what: `student.zarr on the 12 test cases of left-atrium`."""
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    """Foreground classes."""
    cases: tuple[str, ...]
    rows: tuple[ScoredRow, ...]
    headline: str
    """Name of the row to look at first."""
    facts: tuple[Fact, ...] = ()
    notices: tuple[Notice, ...] = ()
    curves: tuple[Curve, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    tables: tuple[QualityTable, ...] = ()
    views: tuple[CaseView, ...] = field(default=())
