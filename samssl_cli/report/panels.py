"""One case on paper: its three planes with the outlines of every layer."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from samssl_cli.report.contents import CaseView
from samssl_cli.report.ink import Drawing, draw, printable
from samssl_cli.report.slices import (
    PLANES,
    Plane,
    Voxel,
    clicks_on,
    fullest_voxel,
    on_screen,
    slice_of,
)

LAYER_COLOURS = ("#ffb000", "#5cc8ff", "#f2f2f2", "#ff8fc8")
"""Told apart by colour-blind readers, and all light: medical images are mostly dark."""
LAYER_DASHES = ((), (5, 3), (1.5, 2.5), (9, 3, 1.5, 3))
"""Lengths of line and gap, in line widths of about one; an empty one is a solid line."""
_BACKGROUND, _TEXT = "#101318", "#e9e7e2"


def case_panel(view: CaseView, number: int) -> Drawing:
    """The planes through the fullest slices, radiological view, spacing respected.

    Args:
        view: one case; a layer without a voxel draws no line but keeps its place in the legend.
        number: which of the page's cases this is, for the file's name.
    """
    centre = fullest_voxel(view)

    def paint() -> Figure:
        figure = Figure((9, 3.7), layout="constrained", facecolor=_BACKGROUND)
        for axes, plane in zip(figure.subplots(1, len(PLANES)), PLANES, strict=True):
            _draw_plane(axes, view, plane, centre)
        title = f"{view.rank}: {printable(view.name, 60)}. {printable(view.summary, 70)}"
        figure.suptitle(title, color=_TEXT, fontsize=10)
        _draw_legend(figure, view)
        return figure

    name = printable(view.name, 60)
    layers = " and ".join(printable(layer.name, 40) for layer in view.layers)
    alternative = f"Axial, coronal and sagittal slice of case {name}, with {layers} outlined."
    return draw(f"case-{number}", f"{view.rank} case: {name}", alternative, paint)


def _draw_plane(axes: Axes, view: CaseView, plane: Plane, centre: Voxel) -> None:
    index = centre[plane.axis]
    image = slice_of(view.image, plane, index)
    width, height = view.spacing_mm[plane.across], view.spacing_mm[plane.down]
    rows, columns = image.shape
    edges = (0, columns * width, rows * height, 0)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=edges, interpolation="bilinear")
    for number, layer in enumerate(view.layers):
        _draw_outlines(axes, slice_of(layer.label, plane, index), (width, height), number)
    _draw_marks(axes, view, plane, index)
    axes.set(xlim=edges[:2], ylim=edges[2:], xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{plane.name} {index + 1}", color=_TEXT, fontsize=9)
    for letter, (x, y) in zip(
        plane.letters, ((0.03, 0.5), (0.97, 0.5), (0.5, 0.96), (0.5, 0.04)), strict=True
    ):
        axes.text(
            x,
            y,
            letter,
            transform=axes.transAxes,
            color=_TEXT,
            ha="center",
            va="center",
            weight="bold",
        )


def _draw_outlines(
    axes: Axes, label: NDArray[np.uint8], size_mm: tuple[float, float], number: int
) -> None:
    """Each class's outline; the frame of zeros closes those that touch the edge."""
    framed = np.pad(label, 1)
    rows, columns = (np.arange(length) - 0.5 for length in framed.shape)
    for index in np.unique(label[label > 0]):
        drawn = axes.contour(
            columns * size_mm[0],
            rows * size_mm[1],
            framed == index,
            levels=[0.5],
            colors=[LAYER_COLOURS[number % len(LAYER_COLOURS)]],
            linestyles=[_line_style(number)],
            linewidths=1.3,
        )
        drawn.set_path_effects([withStroke(linewidth=2.6, foreground="#000000a0")])


def _draw_marks(axes: Axes, view: CaseView, plane: Plane, index: int) -> None:
    width, height = view.spacing_mm[plane.across], view.spacing_mm[plane.down]
    for click in clicks_on(view, plane, index):
        column, row = on_screen(plane, view.image.shape, click.position)
        mark = "+" if click.is_positive else "_"
        axes.plot((column + 0.5) * width, (row + 0.5) * height, mark, color=_TEXT, ms=8, mew=1.8)
    for low, high in view.boxes:
        if low[plane.axis] <= index < high[plane.axis]:
            right, bottom = on_screen(plane, view.image.shape, low)
            left, top = on_screen(plane, view.image.shape, high)
            corner = (left + 1) * width, (top + 1) * height
            sides = (right - left) * width, (bottom - top) * height
            axes.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=_TEXT, linewidth=1))


def _draw_legend(figure: Figure, view: CaseView) -> None:
    lines = [
        Line2D(
            [], [], color=LAYER_COLOURS[number % len(LAYER_COLOURS)], linestyle=_line_style(number)
        )
        for number in range(len(view.layers))
    ]
    names = [printable(layer.name, 40) for layer in view.layers]
    if lines:
        figure.legend(
            lines, names, loc="outside lower center", ncols=4, frameon=False, labelcolor=_TEXT
        )


def _line_style(number: int) -> tuple[int, tuple[float, ...]] | Literal["-"]:
    dashes = LAYER_DASHES[number % len(LAYER_DASHES)]
    return (0, dashes) if dashes else "-"
