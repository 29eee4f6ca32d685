"""The report: one HTML file that needs nothing else, and its figures as files.

    DIRECTORY/report.html       opens from disk, loads nothing
    DIRECTORY/figures/*.svg     the figures for a paper
    DIRECTORY/figures/*.png     the same for a slide

The same contents give the same bytes; a file that says so already is left alone.
"""

import base64
import hashlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from samssl_cli.metrics import METRICS
from samssl_cli.report.contents import Contents, Fact
from samssl_cli.report.cuts import cut_names
from samssl_cli.report.embedding import script_json, view_data
from samssl_cli.report.figures import box_plot, curves_plot, reliability_plot
from samssl_cli.report.ink import Drawing, inline_svg
from samssl_cli.report.panels import LAYER_COLOURS, LAYER_DASHES, case_panel
from samssl_cli.report.slices import PLANES, strides_for
from samssl_cli.report.summary import case_series, first_cases, groups, result, scale_ends
from samssl_cli.volumes.whole_file import write_whole

FRONT_METRICS = ("dice", "hd95_mm")
"""Their plots need no click to be seen."""


def write_report(contents: Contents, directory: Path) -> Path:
    """Write `report.html` and `figures/` into a directory, which is made if it is not there.

    Each file appears whole or not at all. Figures of an earlier, richer report are not removed.

    Returns:
        The path of `report.html`.
    """
    figures = directory / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    drawn = _Drawn(contents)
    for drawing in drawn.all():
        write_whole(figures / f"{drawing.name}.svg", drawing.svg.encode())
        write_whole(figures / f"{drawing.name}.png", drawing.png)
    page = directory / "report.html"
    write_whole(page, _page(contents, drawn).encode("utf-8", "replace"))
    return page


class _Drawn:
    """Every figure of a report."""

    def __init__(self, contents: Contents) -> None:
        metrics = range(len(contents.columns)) if contents.cases else ()
        front = _front(contents)
        boxes = {metric: box_plot(contents, metric) for metric in metrics}
        self.boxes = [boxes[metric] for metric in front if metric in boxes]
        self.other_boxes = [box for metric, box in boxes.items() if metric not in front]
        self.curves = [curves_plot(contents.curves)] if contents.curves else []
        self.reliability = [
            reliability_plot(one, number) for number, one in enumerate(contents.reliability, 1)
        ]
        self.cases = [case_panel(view, number) for number, view in enumerate(contents.views, 1)]

    def all(self) -> Iterator[Drawing]:
        yield from (*self.boxes, *self.other_boxes, *self.curves, *self.reliability, *self.cases)


def _page(contents: Contents, drawn: _Drawn) -> str:
    environment = Environment(
        loader=PackageLoader("samssl_cli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(inline_svg=_inline, data_url=_data_url)
    script = _source(environment, "report.js")
    return environment.get_template("report.html.j2").render(
        contents=contents,
        drawn=drawn,
        groups=groups(contents),
        result=result(contents),
        scale=scale_ends(contents),
        notices=sorted(contents.notices, key=lambda notice: notice.level != "warning"),
        facts=_grouped(contents.facts),
        metrics=METRICS,
        cuts=cut_names(contents),
        data=script_json(_data(contents)),
        views=[script_json(view_data(view)) for view in contents.views],
        strides=[strides_for(view.image.shape) for view in contents.views],
        planes=PLANES,
        first_cases=first_cases(contents),
        style=_source(environment, "report.css"),
        script=script,
        policy=_policy(script),
    )


def _data(contents: Contents) -> dict[str, Any]:
    """What the script needs beside the views; `series` runs over rows, then over their cuts."""
    return {
        "cases": contents.cases,
        "classes": contents.classes,
        "cuts": cut_names(contents),
        "series": case_series(contents),
        "planes": [vars(plane) for plane in PLANES],
        "layers": [
            {"colour": colour, "dash": dash}
            for colour, dash in zip(LAYER_COLOURS, LAYER_DASHES, strict=True)
        ],
    }


def _front(contents: Contents) -> list[int]:
    """Where the front metrics stand; the first column where none of them is there."""
    metrics = [column.metric for column in contents.columns]
    return [metrics.index(name) for name in FRONT_METRICS if name in metrics] or [0]


def _grouped(facts: tuple[Fact, ...]) -> list[tuple[str, list[Fact]]]:
    """Facts by their group; a group stands where its first fact stood."""
    order = list(dict.fromkeys(fact.group for fact in facts))
    by_group = sorted(facts, key=lambda fact: order.index(fact.group))
    return [(group, list(found)) for group, found in groupby(by_group, lambda fact: fact.group)]


def _policy(script: Markup) -> str:
    """A content security policy under which the page can load nothing, and run one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _source(environment: Environment, name: str) -> Markup:
    """A file of ours, as it stands."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _inline(drawing: Drawing) -> Markup:
    return Markup(inline_svg(drawing))  # escaped by matplotlib and there


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
