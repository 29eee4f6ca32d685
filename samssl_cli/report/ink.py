"""How the figures look, and how they become files and parts of a page.

Figures are drawn in the light theme. Inside a page their colours are turned into CSS variables, so
that they follow its theme; every colour here has a variable `--figure-NAME` in `report.css`.
"""

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import matplotlib.style
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

WIDTH_INCHES = 5.2
PALETTE = {
    "ink": "#1c2128",
    "muted": "#5a6270",
    "line": "#dcdad3",
    "accent": "#0b5c8f",
    "soft": "#a9b4bf",
}
_STYLE = {
    "axes.edgecolor": PALETTE["line"],
    "axes.labelcolor": PALETTE["muted"],
    "axes.labelsize": 9,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: it can be found, read aloud and copied
    "svg.hashsalt": "samssl",  # the same figure has the same bytes
    "text.color": PALETTE["ink"],
    "text.parse_math": False,  # a `$` in a name is a dollar
    "xtick.color": PALETTE["muted"],
    "ytick.color": PALETTE["muted"],
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
_PNG_DPI = 160


@dataclass(frozen=True)
class Drawing:
    """A finished figure, as files and for people who cannot see it."""

    name: str
    """Of its files, without suffix."""
    title: str
    alternative: str
    """What it shows, in a sentence or two."""
    svg: str
    png: bytes


def draw(name: str, title: str, alternative: str, paint: Callable[[], Figure]) -> Drawing:
    """Paint a figure in the house style and give it as SVG and PNG: same input, same bytes."""
    with _house_style():
        figure = paint()
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.set_layout_engine("none")  # it is laid out now; doing so again takes as long
        if to_rgba(figure.get_facecolor())[3] == 0:
            figure.set_facecolor("white")  # nobody knows on what a PNG will lie
        figure.savefig(png, format="png", dpi=_PNG_DPI, metadata={"Software": None})
    return Drawing(name, title, alternative, svg.getvalue(), png.getvalue())


def inline_svg(drawing: Drawing) -> str:
    """The figure as an element of a page: themed, named, its ids its own, scaling with its box."""
    opening, _, body = drawing.svg.partition("<svg")[2].partition(">")
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.S)
    body = re.sub(r"<[^>]*>", lambda tag: _adapted(tag[0], drawing.name), body)
    (view_box,) = re.findall(r'viewBox="[^"]*"', opening)
    return f'<svg role="img" aria-label="{escape(drawing.alternative)}" {view_box}>{body}'


def printable(text: str, length: int) -> str:
    """A name that any font and file can bear: one line, no control characters, at most `length`."""
    kept = "".join(" " if _is_control(letter) else letter for letter in text)
    return kept if len(kept) <= length else f"{kept[: length - 1]}…"


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _adapted(tag: str, prefix: str) -> str:
    """One tag with ids that are unique on the page, theme colours, and the page's own font."""
    tag = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}-", tag)
    tag = re.sub(r"font-family: [^;\"]*;? *", "", tag)
    tag = re.sub(r"font: (?:(bold|\d+) )?([\d.]+px)[^;\"]*", _font, tag)
    for variable, colour in PALETTE.items():
        tag = tag.replace(colour, f"var(--figure-{variable})")
    return tag


def _font(match: re.Match[str]) -> str:
    return f"font-size: {match[2]}; font-weight: {match[1] or 'normal'}"


@contextmanager
def _house_style() -> Iterator[None]:
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        # A name may be in any script; in SVG the reader's own fonts have the letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield
