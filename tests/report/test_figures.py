from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from samssl_cli.report.contents import CaseView, Contents, Curve, Layer
from samssl_cli.report.figures import box_plot, curves_plot, reliability_plot
from samssl_cli.report.ink import PALETTE, Drawing, inline_svg, printable
from samssl_cli.report.panels import case_panel
from samssl_cli.report.slices import (
    PLANES,
    fullest_voxel,
    on_screen,
    slice_of,
    strides_for,
    thinned,
)

AXIAL, CORONAL, SAGITTAL = PLANES


def texts(drawing: Drawing) -> list[str]:
    found = ElementTree.fromstring(drawing.svg).iter("{http://www.w3.org/2000/svg}text")
    return [text.text or "" for text in found]


def all_drawings(contents: Contents) -> list[Drawing]:
    return [
        box_plot(contents, 0),
        curves_plot(contents.curves),
        reliability_plot(contents.reliability[0], 1),
        case_panel(contents.views[0], 1),
    ]


def test_box_plot_says_row_kind_mean_and_direction(contents: Contents) -> None:
    words = texts(box_plot(contents, 0))
    assert {"student", "template (sanity check)", "true prompts (upper bound)"} <= set(words)
    assert {"mean 56.67", "mean 40.00", "mean 100.00"} <= set(words)  # (80 + 90 + 0) / 3
    assert "Dice (%), higher is better" in words
    assert "HD95 (mm), lower is better" in texts(box_plot(contents, 1))


def test_box_plot_has_a_line_per_class(two_classes: Contents) -> None:
    words = texts(box_plot(two_classes, 0))
    assert words.count("atrium") == words.count("vein") == 2
    assert {"mean 80.00", "mean 40.00"} <= set(words)


def test_box_plot_of_many_classes_shows_their_mean(two_classes: Contents) -> None:
    many = replace(two_classes, rows=two_classes.rows * 13)  # 26 rows x 2 classes > 48
    words = texts(box_plot(many, 0))
    assert "atrium" not in words
    assert words.count("mean 60.00") == 26


def test_box_plot_without_a_finite_value_keeps_its_line(contents: Contents) -> None:
    row = contents.rows[0]
    unknown = replace(row, values=np.full_like(row.values, np.nan))
    words = texts(box_plot(replace(contents, rows=(unknown,)), 0))
    assert "student" in words
    assert not [word for word in words if word.startswith("mean")]


def test_curve_that_was_never_computed_is_an_empty_panel() -> None:
    nothing = np.full(3, np.nan, dtype=np.float32)
    words = texts(curves_plot((Curve("late", nothing), Curve("none", nothing[:0]))))
    assert {"late", "none"} <= set(words)
    assert not [word for word in words if word.startswith("last")]


def test_curve_names_its_last_value(contents: Contents) -> None:
    assert "last 0.5" in texts(curves_plot(contents.curves))


def test_reliability_plot_names_its_error_and_counts(contents: Contents) -> None:
    words = texts(reliability_plot(contents.reliability[0], 1))
    assert "ECE 0.020" in words
    assert {"1", "100", "10k"} <= set(words)


def test_reliability_plot_of_no_voxel_is_drawn(contents: Contents) -> None:
    empty = replace(contents.reliability[0], count=np.zeros(4, dtype=np.int64))
    assert "ECE 0.020" in texts(reliability_plot(empty, 1))


@pytest.mark.parametrize("number", range(4), ids=["boxes", "curves", "reliability", "panel"])
def test_figures_are_deterministic(contents: Contents, number: int) -> None:
    assert all_drawings(contents)[number] == all_drawings(contents)[number]


@pytest.mark.parametrize("number", range(4), ids=["boxes", "curves", "reliability", "panel"])
def test_figures_bear_hostile_names(hostile: Contents, number: int) -> None:
    drawing = all_drawings(hostile)[number]
    ElementTree.fromstring(drawing.svg)
    page = ElementTree.fromstring(inline_svg(drawing).replace("xlink:href", "href"))
    assert not list(page.iter("script"))
    assert max(map(len, texts(drawing))) < 160


def test_a_dollar_is_a_dollar(contents: Contents) -> None:
    curve = replace(contents.curves[0], name="$x_1$")
    assert "$x_1$" in texts(curves_plot((curve,)))


def test_inline_svg_follows_the_theme_and_scales(contents: Contents) -> None:
    svg = inline_svg(box_plot(contents, 0))
    assert svg.startswith('<svg role="img" aria-label="Box and strip plot of Dice (%) for 3 lines')
    assert not [colour for colour in PALETTE.values() if colour in svg]
    assert "var(--figure-accent)" in svg
    assert "DejaVu" not in svg
    assert "width=" not in svg.partition(">")[0]


def test_inline_svgs_share_no_id(contents: Contents) -> None:
    def ids(metric: int) -> set[str]:
        element = ElementTree.fromstring(
            inline_svg(box_plot(contents, metric)).replace("xlink:href", "href")
        )
        return {node.attrib["id"] for node in element.iter() if "id" in node.attrib}

    assert ids(0)
    assert not ids(0) & ids(1)


def test_png_lies_on_white_and_svg_on_nothing(contents: Contents) -> None:
    drawing = box_plot(contents, 0)
    assert imread(BytesIO(drawing.png))[0, 0].tolist() == [1, 1, 1, 1]
    assert "fill: #ffffff" not in drawing.svg


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\nb\x00c", "a b c"), ("abcdef", "abcde"), ("\ud800", " ")],
    ids=["control", "long", "surrogate"],
)
def test_printable(text: str, expected: str) -> None:
    shown = printable(text, 5)
    assert shown == (expected if len(text) <= 5 else "abcd…")


def test_planes_show_the_right_on_the_left() -> None:
    volume = np.zeros((3, 4, 5), dtype=np.uint8)
    volume[2, 3, 4] = 1  # right, front, head
    for plane, shape in ((AXIAL, (4, 3)), (CORONAL, (5, 3)), (SAGITTAL, (5, 4))):
        index = (2, 3, 4)[plane.axis]
        shown = slice_of(volume, plane, index)
        assert shown.shape == shape
        assert shown[0, 0] == 1  # always the top left corner
        assert on_screen(plane, volume.shape, (2, 3, 4)) == (0, 0)
        assert on_screen(plane, volume.shape, (0, 0, 0)) == (shape[1] - 1, shape[0] - 1)


def test_fullest_voxel_is_where_the_layers_cover_most(view: CaseView) -> None:
    # prediction covers i = 1-3, reference 2-4: every such plane holds 6 voxels, the first is taken
    assert fullest_voxel(view) == (1, 1, 1)
    label = view.layers[0].label.copy()
    label[3] = 1
    assert fullest_voxel(replace(view, layers=(Layer("a", label),)))[0] == 3


def test_fullest_voxel_of_nothing_is_the_middle(view: CaseView) -> None:
    assert fullest_voxel(replace(view, layers=())) == (3, 2, 2)


def test_small_view_is_not_thinned(view: CaseView) -> None:
    assert thinned(view) is view


def test_large_view_is_thinned_along_its_long_axis_only(view: CaseView) -> None:
    image = np.zeros((500, 4, 4), dtype=np.uint8)
    large = replace(
        view,
        image=image,
        layers=(Layer("a", image),),
        clicks=(replace(view.clicks[0], position=(499, 3, 1)),),
        boxes=(((10, 0, 0), (20, 4, 4)),),
    )
    small = thinned(large)
    assert strides_for(image.shape) == (3, 1, 1)  # 500 / 192 = 2.6
    assert small.image.shape == small.layers[0].label.shape == (167, 4, 4)
    assert small.spacing_mm == (3.0, 1.0, 2.0)
    assert small.clicks[0].position == (166, 3, 1)
    assert small.boxes == (((3, 0, 0), (7, 4, 4)),)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 4)], ids=["one voxel", "one slice"])
def test_panel_of_a_tiny_volume(view: CaseView, shape: tuple[int, int, int]) -> None:
    ones = np.ones(shape, dtype=np.uint8)
    tiny = replace(view, image=ones, layers=(Layer("a", ones), Layer("b", ones * 0)), boxes=())
    words = texts(case_panel(tiny, 1))
    assert [word for word in words if len(word) == 1 and word.isupper()] == list("RLAPRLSIAPSI")


def test_panel_without_layers_has_no_legend(view: CaseView) -> None:
    assert "prediction" not in texts(case_panel(replace(view, layers=()), 1))
    assert "prediction" in texts(case_panel(view, 1))


def test_palette_is_told_apart_without_colour() -> None:
    """Greys of the two inks that mark the headline and the rest differ from the lines'."""

    def grey(colour: str) -> float:
        red, green, blue = (int(colour[start:stop], 16) for start, stop in pairwise((1, 3, 5, 7)))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    assert grey(PALETTE["accent"]) < grey(PALETTE["soft"]) - 50
    assert grey(PALETTE["ink"]) < grey(PALETTE["muted"]) - 50
