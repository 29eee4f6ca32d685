"""Contents small enough to check by hand: three cases, and one volume to walk through."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from samssl_cli.metrics.columns import column
from samssl_cli.report.contents import (
    CaseView,
    Click,
    Contents,
    Curve,
    Fact,
    Layer,
    Notice,
    QualityTable,
    Reliability,
    RowKind,
    ScoredRow,
)
from samssl_cli.report.page import write_report

SHAPE = (6, 5, 4)
HOSTILE = "</script><script>alert('1')</script>\"&$x_1$\t患者 " + "x" * 300


def scored(name: str, kind: RowKind, values: ArrayLike) -> ScoredRow:
    """A row of (cases, classes, metrics) whose intervals reach 0.1 to both sides of the mean."""
    stored = np.asarray(values, dtype=np.float64)
    mean = stored.mean(axis=0)
    return ScoredRow(
        name,
        kind,
        f"Why {name} is here.",
        stored,
        stored[:, :, 0] == 0,
        mean,
        stored.std(axis=0, ddof=1),
        np.median(stored, axis=0),
        mean - 0.1,
        mean + 0.1,
    )


def volume(*, filled: slice) -> NDArray[np.uint8]:
    label = np.zeros(SHAPE, dtype=np.uint8)
    label[filled, 1:4, 1:3] = 1
    return label


@pytest.fixture(scope="session")
def view() -> CaseView:
    """Voxels of 1 x 1 x 2 mm; a click on either side of the prediction's edge; a box round it."""
    return CaseView(
        name="case-b",
        rank="best",
        summary="Dice 90.0, HD95 2.0 mm",
        image=np.arange(120, dtype=np.uint8).reshape(SHAPE),
        spacing_mm=(1.0, 1.0, 2.0),
        layers=(
            Layer("prediction", volume(filled=slice(1, 4))),
            Layer("reference", volume(filled=slice(2, 5))),
        ),
        clicks=(Click((2, 2, 1), is_positive=True), Click((0, 0, 1), is_positive=False)),
        boxes=(((1, 1, 1), (4, 4, 3)),),
    )


@pytest.fixture(scope="session")
def contents(view: CaseView) -> Contents:
    """Dice 80, 90 and a miss; HD95 4, 2 and 30 mm: means 56.67 % and 12 mm."""
    rows = (
        scored("student", "prediction", [[[0.8, 4]], [[0.9, 2]], [[0.0, 30]]]),
        scored("template", "sanity", [[[0.3, 20]], [[0.4, 21]], [[0.5, 22]]]),
        scored("true prompts", "upper-bound", [[[1.0, 0]], [[1.0, 0]], [[1.0, 0]]]),
    )
    shares = np.array([0.1, 0.5, np.nan, 0.9])
    return Contents(
        title="Left atrium",
        subtitle="student.zarr on the 3 test cases",
        columns=(column("dice"), column("hd95_mm")),
        classes=("atrium",),
        cases=("case-10", "case-b", "case-9"),
        rows=rows,
        headline="student",
        facts=(Fact("Budget", "labels", "16"), Fact("Code", "seed", "0"), Fact("Budget", "n", "3")),
        notices=(Notice("info", "Take note."), Notice("warning", "Take care.")),
        curves=(Curve("loss", np.array([2, 1, np.nan, 0.5], dtype=np.float32)),),
        reliability=(Reliability("atrium", shares, shares, np.array([9000, 10, 0, 800]), 0.02),),
        tables=(QualityTable("Prompts", "Seen once.", ("class", "clicks"), (("atrium", "3"),)),),
        views=(view, replace(view, name="case-10", rank="median")),
    )


@pytest.fixture(scope="session")
def two_classes(contents: Contents) -> Contents:
    """Two cases; the second class is missed in the second case: means 80 and 40, over both 60."""
    values = [[[0.9, 1], [0.8, 2]], [[0.7, 3], [0.0, 30]]]
    return replace(
        contents,
        classes=("atrium", "vein"),
        cases=("a", "b"),
        rows=(scored("student", "prediction", values), scored("template", "sanity", values)),
    )


@pytest.fixture(scope="session")
def hostile(contents: Contents, view: CaseView) -> Contents:
    """Names that are markup, mathematics, control characters, other scripts, and far too long."""
    bad_view = replace(view, name=HOSTILE, summary=HOSTILE, layers=(Layer(HOSTILE, view.image),))
    return replace(
        contents,
        title=HOSTILE,
        classes=(HOSTILE,),
        cases=(HOSTILE, "\ud800", "b"),
        rows=tuple(replace(row, name=HOSTILE, explanation=HOSTILE) for row in contents.rows[:1]),
        headline=HOSTILE,
        facts=(Fact(HOSTILE, HOSTILE, HOSTILE),),
        notices=(Notice("warning", HOSTILE),),
        curves=(replace(contents.curves[0], name=HOSTILE),),
        reliability=(replace(contents.reliability[0], name=HOSTILE),),
        tables=(QualityTable(HOSTILE, HOSTILE, (HOSTILE,), ((HOSTILE,),)),),
        views=(bad_view,),
    )


@pytest.fixture(scope="session")
def report(contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `contents`; read only."""
    return write_report(contents, tmp_path_factory.mktemp("report"))
