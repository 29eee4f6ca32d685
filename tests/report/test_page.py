import base64
import hashlib
import json
import os
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samssl_cli.report.contents import CaseView, Contents
from samssl_cli.report.cuts import ALL_CLASSES, cuts
from samssl_cli.report.embedding import packed, script_json, view_data
from samssl_cli.report.ink import PALETTE
from samssl_cli.report.page import write_report
from samssl_cli.report.summary import case_series, groups, result, scale_ends

TEMPLATES = Path(__file__).parents[2] / "samssl_cli" / "report" / "templates"


class Outline(HTMLParser):
    """The elements of a page, its text, and its ids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(contents: Contents, folder: Path) -> Outline:
    return Outline(write_report(contents, folder).read_text("utf-8"))


@pytest.fixture(scope="module")
def page(report: Path) -> Outline:
    return Outline(report.read_text("utf-8"))


def test_headline_is_a_sentence(page: Outline) -> None:
    words = (
        "Mean Dice over 3 cases is 56.67 % (95 % interval 46.67 to 66.67) , 1 of 3 cases missed."
    )
    assert words in page.text


def test_headline_over_classes(two_classes: Contents, tmp_path: Path) -> None:
    text = page_of(two_classes, tmp_path).text
    # (90 + 80 + 70 + 0) / 4; nobody computed an interval of the mean over classes
    assert "Mean Dice over 2 classes and 2 cases is 60.00 % , 1 structure missed in 1 case." in text


def test_warnings_come_first(page: Outline) -> None:
    assert page.text.index("Take care.") < page.text.index("Take note.")


def test_facts_are_grouped(page: Outline) -> None:
    assert "Budget labels 16 n 3 Code seed 0" in page.text


def test_kinds_are_words_not_only_colours(page: Outline) -> None:
    for words in ("template sanity check", "true prompts upper bound", "student headline"):
        assert words in page.text


def test_quality_tables_say_that_they_are_read_only(page: Outline) -> None:
    assert "read only Computed on held-out masks" in page.text


def test_page_names_no_address(report: Path) -> None:
    text = report.read_text("utf-8")
    outside = [url for url in re.findall(r"https?://[^\"' <)]+", text) if "www.w3.org" not in url]
    assert not outside


def test_every_source_is_inside(page: Outline) -> None:
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "data", "srcset", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
        assert not [name for name in attributes if name.startswith("on")]


def test_policy_allows_one_script(page: Outline, report: Path) -> None:
    (policy,) = (str(one["content"]) for one in page.all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; ")
    (script,) = re.findall(r"<script>(.*?)</script>", report.read_text("utf-8"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_landmarks_and_headings(page: Outline) -> None:
    names = [tag for tag, _ in page.elements]
    assert [names.count(one) for one in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    ids = [str(attributes["id"]) for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = [str(link["href"]).removeprefix("#") for link in page.all("a")]
    assert links
    assert set(links) <= set(ids)


def test_sections_without_contents_are_left_out(contents: Contents, tmp_path: Path) -> None:
    bare = replace(contents, facts=(), notices=(), curves=(), reliability=(), tables=(), views=())
    sections = [one.get("id") for one in page_of(bare, tmp_path).all("section")]
    assert sections == [None, "summary", "distributions", "cases", "definitions"]


def test_no_case_at_all(contents: Contents, tmp_path: Path) -> None:
    nothing = np.full((1, 2), np.nan)
    row = replace(
        contents.rows[0],
        values=np.empty((0, 1, 2)),
        missed=np.empty((0, 1), dtype=np.bool_),
        **dict.fromkeys(("mean", "std", "median", "low", "high"), nothing),
    )
    page = page_of(replace(contents, cases=(), rows=(row,), views=()), tmp_path)
    assert "No case was scored." in page.text
    assert not re.search(r"\bnan\b", page.text)


def test_hostile_names_stay_text(hostile: Contents, tmp_path: Path) -> None:
    page = page_of(hostile, tmp_path)
    scripts = page.all("script")
    assert [one.get("type") for one in scripts] == ["application/json"] * 2 + [None]
    assert page.text.count("alert('1')") > 10  # as words


def test_same_contents_same_bytes(contents: Contents, report: Path, tmp_path: Path) -> None:
    again = write_report(contents, tmp_path)
    first = {one.name: one.read_bytes() for one in report.parent.rglob("*.*")}
    assert {one.name: one.read_bytes() for one in again.parent.rglob("*.*")} == first
    assert {one.rpartition(".")[0] for one in first} == {
        *("report", "box-dice", "box-hd95_mm", "curves", "reliability-1", "case-1", "case-2")
    }


def test_unchanged_files_are_left_alone(contents: Contents, tmp_path: Path) -> None:
    small = replace(contents, views=(), curves=(), reliability=())
    page = write_report(small, tmp_path)
    figure = tmp_path / "figures" / "box-dice.svg"
    for path in (page, figure):
        os.utime(path, (1, 1))
    write_report(replace(small, title="Another"), tmp_path)
    assert page.stat().st_mtime > 1
    assert figure.stat().st_mtime == 1
    assert not list(tmp_path.rglob(".*"))


def test_both_dark_themes_are_alike_and_know_every_figure_colour() -> None:
    style = (TEMPLATES / "report.css").read_text("utf-8")
    light, *dark = (block.split() for block in re.findall(r":root[^{]*\{([^}]*)\}", style))
    assert len(dark) == 2
    assert dark[0] == dark[1]
    for block in (light, dark[0]):
        assert {f"--figure-{name}:" for name in PALETTE} <= set(block)


def test_groups_have_the_numbers_of_the_table(two_classes: Contents) -> None:
    overall, atrium, vein = groups(two_classes)[0].lines
    assert (overall.name, atrium.name, vein.name) == (ALL_CLASSES, "atrium", "vein")
    assert overall.means == ("60.00", "9.00")  # (85 + 35) / 2; (1.5 + 16.5) / 2
    assert (overall.std, overall.median) == ("35.36", "60.00")  # 50 / sqrt(2)
    assert (overall.missed, atrium.missed, vein.missed) == (1, 0, 1)
    assert overall.interval is None
    assert vein.interval is not None
    assert (vein.interval.low, vein.interval.high) == ("30.00", "50.00")
    # the scale runs from 30 (vein, low) to 90 (atrium, high)
    assert scale_ends(two_classes) == ("30.00", "90.00")
    assert vein.interval.positions == (0.0, 16.67, 33.33)


def test_overall_interval_is_shown_where_it_was_computed(two_classes: Contents) -> None:
    ends = np.array([0.5, 8.0]), np.array([0.7, 10.0])
    row = replace(two_classes.rows[0], overall_low=ends[0], overall_high=ends[1])
    interval = result(replace(two_classes, rows=(row,))).interval
    assert interval is not None
    assert (interval.low, interval.high) == ("50.00", "70.00")


def test_single_case_has_no_spread(two_classes: Contents) -> None:
    row = two_classes.rows[0]
    one = replace(row, values=row.values[:1], missed=row.missed[:1])
    overall = cuts(replace(two_classes, cases=("a",)), one)[0]
    assert overall.std.tolist() == [0.0, 0.0]


def test_case_series_has_every_row_and_cut(two_classes: Contents) -> None:
    series = case_series(two_classes)
    assert len(series) == 6  # 2 rows x (mean, atrium, vein)
    assert np.allclose(series[0]["values"], [[85, 1.5], [35, 16.5]])
    assert series[0]["missed"] == [0, 1]
    assert np.allclose(series[5]["values"], [[80, 2], [0, 30]])


def test_thinned_view_says_so(contents: Contents, view: CaseView, tmp_path: Path) -> None:
    image = np.zeros((200, 4, 4), dtype=np.uint8)  # 200 / 192 is more than 1
    long = replace(view, image=image, layers=(), clicks=(), boxes=())
    text = page_of(replace(contents, views=(long, view)), tmp_path).text
    assert text.count("every n-th voxel is shown") == 1
    assert "n = 2, 1, 1 along the three axes" in text


def test_packed_volume_comes_back(view: CaseView) -> None:
    flat = np.frombuffer(zlib.decompress(base64.b64decode(packed(view.image))), dtype=np.uint8)
    assert np.array_equal(flat.reshape(view.image.shape), view.image)
    assert packed(np.asfortranarray(view.image)) == packed(view.image)


def test_view_data_is_json(view: CaseView) -> None:
    data: dict[str, Any] = json.loads(script_json(view_data(view)))
    assert data["shape"] == [6, 5, 4]
    assert data["clicks"] == [[2, 2, 1, 1], [0, 0, 1, 0]]
    assert data["boxes"] == [[[1, 1, 1], [4, 4, 3]]]


def test_script_json_cannot_end_its_element() -> None:
    text = script_json(["</script>", "<!--", "\u2028", "&"])
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == ["</script>", "<!--", "\u2028", "&"]


def test_a_report_of_usual_size_stays_small(contents: Contents, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (95, 71, 88)
    noise = rng.integers(0, 256, shape, dtype=np.uint8)  # worse than any image
    label = (noise > 250).astype(np.uint8)
    view = contents.views[0]
    layers = tuple(replace(layer, label=label) for layer in view.layers)
    large = replace(view, image=noise, layers=layers)
    data = script_json(view_data(large))
    assert 3 * len(data) < 4e6
    write_report(replace(contents, views=(large,), curves=(), reliability=()), tmp_path)
