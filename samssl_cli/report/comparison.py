"""Models compared on the same cases, as sentences, as a table, and as JSON.

docs/statistics.md says what the numbers mean, and describes the JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from samssl_cli.metrics.columns import Column
from samssl_cli.metrics.paired import Paired, smallest_p
from samssl_cli.report.plain_table import PlainTable, Row

JSON_SCHEMA = "samssl-comparison/1"

Verdict = Literal["better", "worse", "mixed", "no difference found"]


@dataclass(frozen=True)
class ModelMean:
    """One model, one metric, one class."""

    name: str
    num_runs: int
    mean: float
    """Over the cases, of the mean over the runs."""
    std_over_runs: float | None
    """Of the runs' means over the cases (n - 1); None for a single run."""


@dataclass(frozen=True)
class Contrast:
    """One test: a model against the baseline, in one metric and one class."""

    column: Column
    class_name: str | None
    """None: the mean over the classes."""
    baseline: ModelMean
    model: ModelMean
    paired: Paired
    p_holm: float
    """Adjusted for all contrasts of the comparison."""

    @property
    def sign(self) -> int:
        """What a difference is multiplied with to be positive where the model is better."""
        return 1 if self.column.higher_is_better else -1

    def verdict(self, level: float) -> Verdict:
        """What may be said; "mixed" when the mean and most ranks point different ways."""
        if not is_significant(self.p_holm, level):
            return "no difference found"
        mean, ranks = self.sign * self.paired.mean, self.sign * self.paired.rank_balance
        if mean * ranks <= 0:
            return "mixed"
        return "better" if mean > 0 else "worse"


@dataclass(frozen=True)
class ModelComparison:
    """Every model against the first."""

    row: str
    """Of the scores: how the label maps that are compared came about."""
    level: float
    """Of the intervals; a test is significant when its adjusted p is below 1 - level."""
    cases: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    """Model to its runs, the baseline first."""
    contrasts: tuple[Contrast, ...]
    """By metric, then class, then model: one family for Holm."""

    @property
    def baseline(self) -> str:
        """The model that the others are compared with."""
        return next(iter(self.files))

    @property
    def smallest_p(self) -> float:
        """What no adjusted p can be below, whatever the models do."""
        return smallest_p(len(self.cases), len(self.contrasts))


def is_significant(p: float, level: float) -> bool:
    """Whether p is below 1 - level, as decimals: in binary, 1 - 0.95 is a little above 0.05."""
    return p < round(1 - level, 9)


def sentences(comparison: ModelComparison) -> list[str]:
    """One plain sentence for each contrast."""
    return [_sentence(one, comparison) for one in comparison.contrasts]


def model_table(comparison: ModelComparison) -> PlainTable:
    """The same in columns, with each model's mean; a block for each metric and class."""
    interval = f"difference [{100 * comparison.level:g}%]"
    blocks = groupby(comparison.contrasts, key=lambda one: (one.column, one.class_name))
    return PlainTable(
        _title(comparison),
        ("metric", "class", "model"),
        ("runs", "mean ± sd", interval, "p", "p (Holm)", "w/t/l", "n"),
        [list(_block(column, class_name, list(block))) for (column, class_name), block in blocks],
    )


def _block(column: Column, class_name: str | None, contrasts: Sequence[Contrast]) -> Iterator[Row]:
    """The baseline of one metric and class, and then each model."""
    yield column.title, class_name or "mean", *_mean_cells(contrasts[0].baseline, column)
    for one in contrasts:
        yield "", "", *_mean_cells(one.model, column), *_difference_cells(one)


def as_json(comparison: ModelComparison) -> dict[str, Any]:
    """Everything as JSON values, in the units that people read (`unit`)."""
    return {
        "schema": JSON_SCHEMA,
        "row": comparison.row,
        "level": comparison.level,
        "test": "Wilcoxon signed-rank, two-sided, exact",
        "num_tests": len(comparison.contrasts),
        "smallest_p_holm": comparison.smallest_p,
        "cases": list(comparison.cases),
        "baseline": comparison.baseline,
        "models": {name: list(files) for name, files in comparison.files.items()},
        "comparisons": [
            {**_contrast_as_json(one, comparison.level), "sentence": sentence}
            for one, sentence in zip(comparison.contrasts, sentences(comparison), strict=True)
        ],
    }


def _sentence(one: Contrast, comparison: ModelComparison) -> str:
    paired = one.paired
    parts = [
        f"{_finding(one, comparison.level)}, {_p(one.p_holm)} (Holm)",
        f"n = {paired.num_cases} cases",
        _runs(one.model.num_runs, one.baseline.num_runs),
    ]
    counts = f"wins {paired.num_wins}, ties {paired.num_ties}, losses {paired.num_losses}"
    return f"{', '.join(parts)}; {counts}{_out_of_reach(comparison)}"


def _finding(one: Contrast, level: float) -> str:
    model, baseline, title = one.model.name, one.baseline.name, one.column.title
    where = "" if one.class_name is None else f" on {one.class_name}"
    match one.verdict(level):
        case "better":
            return f"{model} is better than {baseline} by {_amount(one, one.sign)}{where}"
        case "worse":
            return f"{model} is worse than {baseline} by {_amount(one, -one.sign)}{where}"
        case "mixed":
            return (
                f"{model} and {baseline} differ in {title}{where}, but the mean and most of the "
                f"ranks point different ways: {model} minus {baseline} is {_amount(one, 1)}"
            )
        case "no difference found":
            return (
                f"no difference was found between {model} and {baseline}{where}: "
                f"{model} minus {baseline} is {_amount(one, 1)}"
            )


def _amount(one: Contrast, sign: int) -> str:
    """`6.10 Dice (%) [3.01, 9.20]`, of the difference times `sign`."""
    ends = sorted((sign * one.paired.low, sign * one.paired.high))
    low, high = (_shown(one.column, end) for end in ends)
    return f"{_shown(one.column, sign * one.paired.mean)} {one.column.title} [{low}, {high}]"


def _runs(ours: int, theirs: int) -> str:
    if ours == theirs:
        return f"{ours} run{'s' * (ours > 1)} each"
    return f"{ours} run{'s' * (ours > 1)} against {theirs}"


def _out_of_reach(comparison: ModelComparison) -> str:
    if is_significant(comparison.smallest_p, comparison.level):
        return ""
    num_tests = len(comparison.contrasts)
    return (
        f"; with {len(comparison.cases)} cases and {num_tests} test{'s' * (num_tests > 1)} the p "
        f"cannot fall below {comparison.smallest_p:.3g}, so that no difference could be found"
    )


def _title(comparison: ModelComparison) -> str:
    baseline, num_cases = comparison.baseline, len(comparison.cases)
    return (
        f"{comparison.row}: difference to {baseline} over {num_cases} cases\n"
        f"sd over runs; w/t/l: wins, ties, losses; Holm over {len(comparison.contrasts)} tests"
    )


def _mean_cells(model: ModelMean, column: Column) -> list[str]:
    std = "" if model.std_over_runs is None else f" ± {column.shown(model.std_over_runs)}"
    return [model.name, str(model.num_runs), column.shown(model.mean) + std]


def _difference_cells(one: Contrast) -> list[str]:
    paired = one.paired
    mean, low, high = (
        _shown(one.column, value) for value in (paired.mean, paired.low, paired.high)
    )
    return [
        f"{mean} [{low}, {high}]",
        _p_cell(paired.p),
        _p_cell(one.p_holm),
        f"{paired.num_wins}/{paired.num_ties}/{paired.num_losses}",
        str(paired.num_cases),
    ]


def _contrast_as_json(one: Contrast, level: float) -> dict[str, Any]:
    paired, scale = one.paired, one.column.scale
    return {
        "metric": one.column.name,
        "unit": one.column.unit,
        "higher_is_better": one.column.higher_is_better,
        "class": one.class_name,
        "model": _mean_as_json(one.model, scale),
        "baseline": _mean_as_json(one.baseline, scale),
        "difference": scale * paired.mean,
        "low": scale * paired.low,
        "high": scale * paired.high,
        "p": paired.p,
        "p_holm": one.p_holm,
        "rank_balance": paired.rank_balance,
        "num_cases": paired.num_cases,
        "num_wins": paired.num_wins,
        "num_ties": paired.num_ties,
        "num_losses": paired.num_losses,
        "verdict": one.verdict(level),
    }


def _mean_as_json(model: ModelMean, scale: float) -> dict[str, Any]:
    std = model.std_over_runs
    return {
        "name": model.name,
        "num_runs": model.num_runs,
        "mean": scale * model.mean,
        "std_over_runs": None if std is None else scale * std,
    }


def _p(p: float) -> str:
    return f"p = {p:.3g}" if p >= 0.001 else "p < 0.001"


def _p_cell(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def _shown(column: Column, value: float) -> str:
    """Never `-0.00`, which reads like a loss."""
    text = column.shown(value)
    return text.removeprefix("-") if float(text) == 0 else text
