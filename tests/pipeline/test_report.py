"""`samssl evaluate --report`: one page that tells where its numbers come from."""

import json
import re

import pytest

from samssl_cli.errors import DataError, UsageError
from samssl_cli.progress import Silent
from samssl_cli.stages.reporting import report


@pytest.fixture(scope="module")
def page(loop, tmp_path_factory):
    """The report of the student, with the specialist beside it."""
    folder = tmp_path_factory.mktemp("report")
    copy = loop.linked(folder, "cases", "student", "specialist")
    beside = {"ssl-only": copy.evaluate("specialist", to="ssl")}
    scores = copy.evaluate()
    return report(
        copy.path("cases"),
        copy.path("student"),
        scores,
        folder / "r",
        beside=beside,
        progress=Silent(),
    )


def test_the_page_needs_nothing_but_itself(page):
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_the_page_shows_rows_cases_facts_and_views(page):
    text = page.read_text(encoding="utf-8")
    for shown in (
        *("largest-component", "template", "generalist+oracle-prompts", "ssl-only"),
        *("phantom_004", "phantom_005", "organ", "vessel"),
        *("labeled cases trained on", "checkpoint", "seed", "hardware"),
        *("Semi-supervised training alone", "region-growing", "pseudo-label"),
    ):
        assert shown in text, shown


def test_figures_lie_beside_it(page):
    names = {path.name for path in (page.parent / "figures").iterdir()}
    assert {"box-dice.png", "box-dice.svg", "curves.png"} <= names


def test_a_second_report_is_the_same_and_touches_nothing(page, loop, samssl):
    folder = page.parent.parent
    before = {path: path.stat().st_mtime_ns for path in page.parent.rglob("*")}
    report(
        folder / "cases.zarr",
        folder / "student.zarr",
        folder / "scores.zarr",
        page.parent,
        beside={"ssl-only": folder / "ssl.zarr"},
        progress=Silent(),
    )
    assert {path: path.stat().st_mtime_ns for path in page.parent.rglob("*")} == before


@pytest.mark.parametrize(
    ("overrides", "name", "told"),
    [
        ((), "template", "a row has this name"),
        (("evaluate.cases=unlabeled",), "other", "no case in common"),
        (("evaluate.in_voxels=true",), "other", "volume_difference_voxels, where"),
        (("evaluate.tolerance=9",), "other", "different tolerances"),
    ],
    ids=["name", "cases", "unit", "tolerance"],
)
def test_what_cannot_stand_beside_is_refused(loop, tmp_path, overrides, name, told):
    overrides = (*overrides, "evaluate.sanity=false")
    copy = loop.linked(tmp_path, "cases", "specialist", "student", overrides=overrides)
    other = copy.evaluate("specialist", to="other")
    with pytest.raises((UsageError, DataError), match=told):
        report(
            loop.path("cases"),
            loop.path("student"),
            loop.path("scores"),
            tmp_path / "r",
            beside={name: other},
            progress=Silent(),
        )
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("what", ["prompts", "pseudo"])
def test_a_diagnosis_has_a_page_too(loop, tmp_path, what):
    copy = loop.linked(tmp_path, "cases", what)
    scores = copy.evaluate(what)
    page = report(
        copy.path("cases"), copy.path(what), scores, tmp_path / "r", beside={}, progress=Silent()
    )
    text = page.read_text(encoding="utf-8")
    assert "Diagnosis on held-out masks" in text
    assert "that were scored" in text


def test_from_the_command_line(loop, samssl, tmp_path):
    copy = loop.linked(tmp_path, "cases", "student")
    scores = tmp_path / "scores.zarr"
    words = ("evaluate", copy.path("cases"), copy.path("student"), "-o", scores)
    options = ("--recipe", loop.recipe_path, "--device", "cpu")
    finished = samssl(*words, *options, "--report", tmp_path / "r", "--no-sanity")
    assert finished.code == 0, finished.stderr
    assert finished.stdout.splitlines() == [str(scores), str(tmp_path / "r" / "report.html")]
    as_json = samssl(*words, *options, "--json", "--no-sanity")
    document = json.loads(as_json.stdout)
    assert document["schema"] == "samssl-scores/1"
    assert "checksum" not in document  # of files, and this is none
    (tmp_path / "r" / "report.html").unlink()
    again = samssl(*words, *options, "--report", tmp_path / "r", "--no-sanity")
    assert again.stdout == finished.stdout  # also where the scores are up to date
    assert (tmp_path / "r" / "report.html").exists()
    wrong = samssl(*words, *options, "--beside", scores)
    assert (wrong.code, "--report DIR" in wrong.stderr) == (2, True)
