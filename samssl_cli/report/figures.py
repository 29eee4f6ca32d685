"""The figures of a report: box and strip plots, training curves, reliability diagrams.

Every function here takes plain contents and gives a `Drawing`; the house style is in `ink`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from samssl_cli.report.contents import Contents, Curve, Reliability, ScoredRow
from samssl_cli.report.cuts import cuts
from samssl_cli.report.ink import PALETTE, WIDTH_INCHES, Drawing, draw, printable
from samssl_cli.report.summary import KIND_WORDS

Values = NDArray[np.float64]

MOST_STRIPS = 48
"""With more rows times classes than this, a box plot shows the mean over the classes."""
_CURVE_POINTS = 300
_LABEL_LETTERS = 44


@dataclass(frozen=True)
class _Strip:
    """One line of a box plot."""

    heading: str
    """To write above it; empty for the further classes of a row."""
    label: str
    """To write at it; empty where a row has one line."""
    values: Values
    """(cases,), as shown."""
    is_miss: NDArray[np.bool_]
    """(cases,)."""
    is_headline: bool


def box_plot(contents: Contents, metric: int) -> Drawing:
    """One metric of every case as box and strip, a line per row (and class, while they fit).

    The box spans the quartiles, its line is the median, the whiskers end at the last case within
    1.5 times the box; every case is a dot, or a cross where a class was missed. Without a case, the
    lines stay empty.
    """
    column = contents.columns[metric]
    strips = list(_strips(contents, metric))
    tops = np.cumsum([0.0, *(_height(strip) for strip in strips)])

    def paint() -> Figure:
        figure = Figure((WIDTH_INCHES, 0.5 + 0.5 * tops[-1]), layout="constrained")
        axes = figure.subplots()
        for top, strip in zip(tops, strips, strict=False):
            _draw_strip(axes, top, strip)
        better = "higher" if column.higher_is_better else "lower"
        axes.set(yticks=[], ylim=(tops[-1], 0), xlabel=f"{column.title}, {better} is better")
        axes.grid(axis="x", color=PALETTE["line"], linewidth=0.7)
        axes.set_axisbelow(True)
        return figure

    alternative = (
        f"Box and strip plot of {column.title} for {len(strips)} lines, "
        f"{len(contents.cases)} cases each; the summary table has the numbers."
    )
    return draw(f"box-{column.name}", column.title, alternative, paint)


def curves_plot(curves: tuple[Curve, ...]) -> Drawing:
    """Every loss term over its steps, one small panel each; a term never computed stays empty."""

    def paint() -> Figure:
        figure = Figure((WIDTH_INCHES, 0.35 + 0.95 * len(curves)), layout="constrained")
        panels = figure.subplots(len(curves), squeeze=False, sharex=True)[:, 0]
        for axes, curve in zip(panels, curves, strict=True):
            _draw_curve(axes, curve)
        last_step = max(len(curve.values) for curve in curves) - 1
        panels[-1].set(xlabel="step", xlim=(0, max(last_step, 1)))
        return figure

    alternative = f"Training curves: {len(curves)} loss terms over the steps."
    return draw("curves", "Training curves", alternative, paint)


def reliability_plot(reliability: Reliability, number: int) -> Drawing:
    """Observed share against predicted probability, over how many voxels each bin holds.

    Args:
        reliability: its bins are equally wide and span 0-1.
        number: which of the page's diagrams this is, for the file's name.
    """

    def paint() -> Figure:
        figure = Figure((3.7, 4.3), layout="constrained")
        main, counts = figure.subplots(2, height_ratios=(4, 1), sharex=True)
        _draw_reliability(main, reliability)
        _draw_counts(counts, reliability.count)
        return figure

    name = printable(reliability.name, _LABEL_LETTERS)
    alternative = (
        f"Reliability diagram of {name}: observed share against predicted probability; "
        f"expected calibration error {reliability.ece:.3f}."
    )
    return draw(f"reliability-{number}", name, alternative, paint)


def _strips(contents: Contents, metric: int) -> Iterator[_Strip]:
    """The lines of a box plot, top to bottom."""
    by_class = len(contents.classes) > 1 and _num_lines(contents) <= MOST_STRIPS
    scale = contents.columns[metric].scale
    for row in contents.rows:
        overall, *classes = cuts(contents, row)
        for index, cut in enumerate(classes if by_class else [overall]):
            yield _Strip(
                "" if index else _heading(row),
                printable(cut.name, _LABEL_LETTERS) if by_class else "",
                scale * cut.values[:, metric],
                cut.missed > 0,
                row.name == contents.headline,
            )


def _num_lines(contents: Contents) -> int:
    return len(contents.rows) * len(contents.classes)


def _heading(row: ScoredRow) -> str:
    kind = "" if row.kind == "prediction" else f" ({KIND_WORDS[row.kind]})"
    return printable(row.name, _LABEL_LETTERS - len(kind)) + kind


def _height(strip: _Strip) -> float:
    """In lines: a heading stands in the same line as the mean unless a class's name does."""
    return 1.45 if strip.heading and strip.label else 1.0


def _draw_strip(axes: Axes, top: float, strip: _Strip) -> None:
    weight = "bold" if strip.is_headline else "normal"
    bottom = top + _height(strip)
    words_at = bottom - 0.8
    at_left = axes.get_yaxis_transform()
    if strip.label:
        axes.text(0, top + 0.25, strip.heading, transform=at_left, va="center", weight=weight)
    words = strip.label or strip.heading
    colour = PALETTE["muted" if strip.label else "ink"]
    is_bold = "normal" if strip.label else weight
    axes.text(0, words_at, words, transform=at_left, va="center", weight=is_bold, color=colour)
    is_there = np.isfinite(strip.values)
    if not is_there.any():
        return
    values, is_miss = strip.values[is_there], strip.is_miss[is_there]
    mean = f"mean {values.mean():.2f}"
    axes.text(1, words_at, mean, transform=at_left, va="center", ha="right", weight=weight)
    _draw_values(axes, bottom - 0.33, values, is_miss, PALETTE[_ink_of(strip)])


def _ink_of(strip: _Strip) -> str:
    return "accent" if strip.is_headline else "muted"


def _draw_values(
    axes: Axes, y: float, values: Values, is_miss: NDArray[np.bool_], colour: str
) -> None:
    _draw_box(axes, y, values, colour)
    # A golden-ratio sequence spreads neighbours apart without chance.
    ys = y + 0.26 * (np.arange(len(values)) * 0.618034 % 1 - 0.5)
    axes.plot(values[~is_miss], ys[~is_miss], "o", color=colour, alpha=0.7, ms=3.6, mew=0)
    axes.plot(values[is_miss], ys[is_miss], "x", color=colour, ms=5, mew=1.3)


def _draw_box(axes: Axes, y: float, values: Values, colour: str) -> None:
    """Quartiles, median and whiskers, drawn by hand: `boxplot` changed its words in 3.10."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    reach = 1.5 * (high - low)
    ends = values[(values >= low - reach) & (values <= high + reach)]
    axes.hlines([y, y], [ends.min(), high], [low, ends.max()], color=colour, linewidth=0.9)
    axes.add_patch(
        Rectangle((low, y - 0.17), high - low, 0.34, facecolor="none", edgecolor=colour, lw=0.9)
    )
    axes.vlines(middle, y - 0.17, y + 0.17, color=colour, linewidth=2)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    """The mean over short stretches of steps, in a band from their least to their largest value."""
    axes.set_title(printable(curve.name, _LABEL_LETTERS), loc="left", fontsize=9)
    axes.grid(axis="y", color=PALETTE["line"], linewidth=0.7)
    axes.locator_params(axis="y", nbins=3)
    (steps,) = np.nonzero(np.isfinite(curve.values))
    if not len(steps):
        return
    values = curve.values[steps].astype(np.float64)
    starts = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _CURVE_POINTS)).astype(int))
    counts = np.diff(starts, append=len(steps))
    least, largest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    axes.fill_between(steps[starts], least, largest, color=PALETTE["soft"], alpha=0.6, linewidth=0)
    mean = np.add.reduceat(values, starts) / counts
    axes.plot(steps[starts], mean, color=PALETTE["accent"], linewidth=1.3)
    axes.set_title(f"last {values[-1]:.4g}", loc="right", fontsize=8.5, color=PALETTE["muted"])


def _draw_reliability(axes: Axes, reliability: Reliability) -> None:
    is_there = np.isfinite(reliability.confidence) & np.isfinite(reliability.frequency)
    axes.plot((0, 1), (0, 1), color=PALETTE["soft"], linewidth=1, linestyle=(0, (4, 3)))
    axes.text(0.03, 0.96, f"ECE {reliability.ece:.3f}", va="top", weight="bold")
    axes.plot(
        reliability.confidence[is_there],
        reliability.frequency[is_there],
        color=PALETTE["accent"],
        marker="o",
        markersize=4,
        linewidth=1.3,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="observed share")
    axes.grid(color=PALETTE["line"], linewidth=0.7)


def _draw_counts(axes: Axes, count: NDArray[np.int64]) -> None:
    bins = len(count)
    centres = (np.arange(bins) + 0.5) / bins
    (filled,) = np.nonzero(count)
    axes.bar(centres[filled], count[filled], width=0.8 / bins, color=PALETTE["soft"])
    axes.set(yscale="log", ylim=(0.8, 2.0 * max(int(count.max(initial=1)), 1)))
    axes.set(xlabel="predicted probability", ylabel="voxels")
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.minorticks_off()
    axes.set_axisbelow(True)
