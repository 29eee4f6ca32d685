"""What a killed run seems to have left, and somebody else wrote: go on from there."""

import shutil

import pytest

from samssl_cli.errors import SamsslError
from tests.fuzz import edits, forging
from tests.fuzz.seed_drafts import draft, resume
from tests.fuzz.target import judge
from tests.fuzz.test_hostile import refused

MEMBER = ["zarr.json", "attributes", "samssl_member", "attributes"]


def at(folder, *steps):
    """A place among the attributes of a member."""
    return [f"{folder}/{MEMBER[0]}", *MEMBER[1:], *steps]


STATE = "x.zarr.progress/step-00000001"
VIEWS = "x.zarr.progress/answers/phantom_001"
CASE = "x.zarr.part/case.phantom_002"
FOLD = "x.zarr.part/fold.0"
FORGED = {
    "a step before the first": ("checkpoint", at(STATE, "step"), -1),
    "a step beyond the last": ("checkpoint", at(STATE, "step"), 3),
    "curves of another length": ("checkpoint", at(STATE, "step"), 2),
    "a scaler that is a text": ("checkpoint", at(STATE, "scaler"), {"scale": "x"}),
    "a plan that is a list": (
        "checkpoint",
        ["x.zarr.part/zarr.json", "attributes", "samssl", "plan"],
        [],
    ),
    "views that are none": ("labels", at(VIEWS, "views"), None),
    "a window beyond the case": ("labels", at(VIEWS, "views", 0, "high"), [13, 12, 12]),
    "a window of 10^15 voxels": ("labels", at(VIEWS, "views", 0, "high"), [100_000] * 3),
    "a class of another": ("labels", at(VIEWS, "views", 0, "class_index"), 7),
    "voxels of no size": ("labels", at(VIEWS, "views", 0, "spacing_mm"), [0, 1, 1]),
    "two answers of one": ("labels", at(VIEWS, "views", 0, "predicted_iou"), [0.5, 0.5]),
    "no rows": ("scores", at(CASE, "rows"), {}),
    "an empty row": ("scores", at(CASE, "rows", "raw"), []),
    "a score that is a text": ("scores", at(CASE, "rows", "raw", 0, "values", "dice"), "1"),
    "units that are a text": ("generalist", at(FOLD, "units"), "x"),
    "more units than Dice": ("generalist", at(FOLD, "units"), ["a", "b"]),
}


@pytest.mark.parametrize(("kind", "path", "value"), FORGED.values(), ids=FORGED)
def test_what_is_forged_in_a_draft_is_told(kind, path, value, warm):
    refused(warm(f"draft-of-{kind}"), edits.as_input([["set", path, value]]), path[0].split("/")[0])


def test_fewer_views_than_objects_are_told(warm):
    remove = ["remove", at(VIEWS, "views", 1), None]
    refused(warm("draft-of-labels"), edits.as_input([remove]), VIEWS)


def test_a_state_that_cannot_be_read_is_as_good_as_none(warm):
    """As one that is damaged: the run begins anew, and nothing else is lost."""
    for edit in (
        ["set", at(STATE, "step"), "1"],
        ["set", [f"{STATE}/module.student/zarr.json", "shape"], [10**12]],
        ["rename", [f"{STATE}/zarr.json"], f"{STATE}/other.json"],
        ["set", [f"{STATE}/optimizer/c/0"], {"$fifo": 1}],
    ):
        verdict = judge(warm("draft-of-checkpoint"), edits.as_input([edit]))
        assert (verdict.is_fine, verdict.told) == (True, ""), verdict


@pytest.mark.parametrize(
    ("stage", "folder"),
    [
        ("train-ssl", "x.zarr.part"),
        ("train-ssl", "x.zarr.progress"),
        ("sam-label", "x.zarr.progress/answers"),
        ("preprocess", "x.zarr.part/visible"),
    ],
)
def test_nothing_is_written_through_a_link(stage, folder, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    edits.write(draft(stage), out)
    shutil.move(out / folder, elsewhere)
    (out / folder).symlink_to(elsewhere)
    before = edits.read(elsewhere)
    with pytest.raises(SamsslError, match=f"{folder}: is a link, and nothing is written through"):
        resume(stage, out)
    assert edits.read(elsewhere) == before


@pytest.mark.parametrize("name", ["@eaDir", "a b"])
def test_what_others_put_among_the_members_is_told(name, tmp_path):
    edits.write(draft("evaluate"), tmp_path)
    shutil.copytree(tmp_path / CASE, tmp_path / "x.zarr.part" / name)
    forging.sign(tmp_path)
    with pytest.raises(SamsslError, match=f"{name}: was not left by samssl; remove it"):
        resume("evaluate", tmp_path)
    shutil.rmtree(tmp_path / "x.zarr.part" / name)
    resume("evaluate", tmp_path)
