import json
import os

import numpy as np
import pytest

from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.scores import CaseScores, write_case_scores
from samssl_cli.errors import ArtifactError, DamagedArtifactError
from samssl_cli.report.score_documents import as_json
from samssl_cli.report.score_files import beside, bring_up_to_date
from samssl_cli.volumes.grid import NativeGrid

ABOUT = {
    "class_names": ["background", "organ"],
    "scored": "checkpoint",
    "rows": ["raw"],
    "headline": "raw",
    "metrics": ["dice"],
    "tolerance": 2.0,
}


def write_scores(path, *, dice=0.5):
    """One case of one class; always of the same plan."""
    options = {"evaluate": {"blur_sigma_voxels": 1.0}}
    inputs = {"cases": "c", "what": "w"}
    plan = Plan(kind="scores", stage="evaluate", options=options, seed=0, inputs=inputs)
    flags = {"missed": False, "spurious": False, "is_empty": False}
    volumes = {"prediction_ml": 1.0, "reference_ml": 1.0}
    record = {"class_index": 1, "values": {"dice": dice}, **flags, **volumes}
    grid = NativeGrid.from_affine((2, 2, 2), np.eye(4))
    case = CaseScores(np.zeros((2, 2, 2), np.uint8), grid, {"raw": [record]})
    with open_draft(path, plan) as draft:
        write_case_scores(draft.root, "a", case)
        draft.seal(ABOUT)
    return path


@pytest.fixture
def scores(tmp_path):
    path = write_scores(tmp_path / "s.zarr")
    bring_up_to_date(path)
    return path


def state(scores):
    """Bytes and time of both files; the time tells whether one was written."""
    files = [beside(scores, ending) for ending in (".csv", ".json")]
    return [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]


def contents(scores):
    return [content for content, _ in state(scores)]


def test_the_last_key_of_the_json_is_the_checksum_and_the_rest_is_what_it_was(scores):
    from samssl_cli.artifacts.scores import Scores

    document = json.loads(beside(scores, ".json").read_text())
    assert list(document)[-1] == "checksum"
    assert len(document.pop("checksum")) == 64
    assert document == json.loads(bring_up_to_date(scores)) == as_json(Scores(scores))
    assert beside(scores, ".json").read_text().endswith('"\n}\n')


def test_files_that_are_up_to_date_are_not_made_again(scores, monkeypatch):
    before = state(scores)
    monkeypatch.setattr("samssl_cli.report.score_files._made", None)
    assert json.loads(bring_up_to_date(scores))["about"]["headline"] == "raw"
    assert state(scores) == before


@pytest.mark.parametrize("ending", [".csv", ".json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"0.5", b"0.9"),
        lambda content: content + b"\n",
        lambda content: content[:-1],
        lambda content: content[:10],
        lambda content: b"",
        lambda content: b"\xff" * len(content),
        None,
    ],
    ids=["edited", "longer", "shorter", "cut", "emptied", "overwritten", "removed"],
)
def test_what_was_changed_is_made_anew(scores, ending, change):
    before, path = contents(scores), beside(scores, ending)
    path.unlink() if change is None else path.write_bytes(change(path.read_bytes()))
    bring_up_to_date(scores)
    assert contents(scores) == before


def test_a_json_of_an_older_samssl_gets_its_checksum(scores):
    before = contents(scores)
    beside(scores, ".json").write_text(bring_up_to_date(scores))
    bring_up_to_date(scores)
    assert contents(scores) == before


def test_what_was_made_in_another_form_is_made_anew(scores, monkeypatch):
    before = contents(scores)
    monkeypatch.setattr("samssl_cli.report.score_files._FORM", "0")
    bring_up_to_date(scores)
    assert contents(scores) != before


def test_files_of_other_scores_are_made_anew_even_where_the_plan_is_the_same(scores, tmp_path):
    """As when a damaged artifact was made again on another device, and then the run was killed."""
    other = write_scores(tmp_path / "other.zarr", dice=0.75)
    for ending in (".csv", ".json"):
        beside(other, ending).write_bytes(beside(scores, ending).read_bytes())
    assert json.loads(bring_up_to_date(other))["summary"]["raw"]["mean"] == {"dice": 0.75}
    assert "0.75" in beside(other, ".csv").read_text()


def test_a_run_killed_between_the_two_files_is_finished(scores, tmp_path):
    other = write_scores(tmp_path / "other.zarr", dice=0.75)
    bring_up_to_date(other)
    expected = contents(other)
    beside(other, ".json").write_bytes(beside(scores, ".json").read_bytes())
    bring_up_to_date(other)
    assert contents(other) == expected


def test_what_is_no_file_is_never_read(scores):
    before, path = contents(scores), beside(scores, ".csv")
    path.unlink()
    os.mkfifo(path)  # to read it would wait for ever
    bring_up_to_date(scores)
    assert contents(scores) == before
    path.unlink()
    path.mkdir()
    with pytest.raises(ArtifactError, match=r"s\.csv: cannot be written"):
        bring_up_to_date(scores)


def test_a_name_without_zarr_keeps_its_dots(tmp_path):
    assert beside(tmp_path / "a.b", ".csv").name == "a.b.csv"
    assert beside(tmp_path / "a.b.zarr", ".csv").name == "a.b.csv"


def test_damaged_scores_say_so_when_they_are_opened(scores):
    beside(scores, ".csv").unlink()
    metadata = scores / "case.a" / "zarr.json"
    metadata.write_bytes(metadata.read_bytes().replace(b"0.5", b"0.9"))
    with pytest.raises(DamagedArtifactError, match="changed since it was sealed"):
        bring_up_to_date(scores)
