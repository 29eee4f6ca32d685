"""The figure of benchmarks/scaling.py: time and memory, by cases and by voxels."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.scaling import Measured, by_stage
from samssl_cli.report.ink import PALETTE, WIDTH_INCHES, Drawing, draw

_LOOKS = {
    "preprocess": ("#0b5c8f", "o"),
    "train-ssl": ("#d55e00", "s"),
    "prompt": ("#009e73", "^"),
    "sam-label": ("#8a5a9e", "v"),
    "retrain": ("#c79200", "D"),
    "evaluate": ("#1c2128", "x"),
}


def scaling_figure(cases: Sequence[Measured], volumes: Sequence[Measured]) -> Drawing:
    """Four panels: seconds of CPU above, peak memory below; cases left, voxels right."""

    def paint() -> Figure:
        figure = Figure((WIDTH_INCHES * 1.5, 5.2), layout="constrained")
        panels = figure.subplots(2, 2, sharex="col")
        for column, (rows, scale) in enumerate(((cases, None), (volumes, 1e-6))):
            _draw(panels[0, column], rows, scale, "cpu_s")
            _draw(panels[1, column], rows, scale, "peak_mb")
        panels[0, 0].set(ylabel="CPU, seconds")
        panels[1, 0].set(ylabel="peak memory, MB", xlabel="training cases, and test cases")
        panels[1, 1].set(xlabel="million voxels of each case")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
        return figure

    alternative = (
        "Seconds of CPU and peak memory of the six stages as lines, by the number of cases and by "
        "the voxels of each case; the table beside it has the numbers."
    )
    return draw("scaling", "Time and memory of the stages", alternative, paint)


def _draw(axes: Axes, rows: Sequence[Measured], scale: float | None, what: str) -> None:
    for stage, mine in by_stage(rows).items():
        colour, marker = _LOOKS[stage]
        sizes = [one.cases if scale is None else one.voxels * scale for one in mine]
        values = [getattr(one, what) for one in mine]
        axes.plot(
            sizes, values, color=colour, marker=marker, markersize=4, linewidth=1.2, label=stage
        )
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.grid(color=PALETTE["line"], linewidth=0.7)
    axes.set_axisbelow(True)
