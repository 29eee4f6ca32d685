"""A folder of earlier predictions into which somebody wrote: `predict` into it again."""

import json

import pytest

from tests.fuzz import edits, seeds
from tests.fuzz.data_sets import predict_into
from tests.fuzz.target import judge
from tests.fuzz.test_hostile import refused

CASE = ["there/summary.json", "cases", 0]
RECORDS = {
    "a case that is a number": [[*CASE, "case"], 7],
    "a case elsewhere": [[*CASE, "case"], "../images/phantom_002"],
    "a case of 5000 letters": [[*CASE, "case"], "x" * 5000],
    "images that are a text": [[*CASE, "images"], "a.nii"],
    "the label map of another": [[*CASE, "label_map"], "other.nii.gz"],
    "a digest that is none": [[*CASE, "label_map_sha256"], None],
    "a shape of four": [[*CASE, "shape"], [1, 2, 3, 4]],
    "NaN": [[*CASE, "spacing_mm", 0], float("nan")],
    "infinity": [[*CASE, "found", "organ", "volume_ml"], float("inf")],
    "voxels that are yes": [[*CASE, "found", "organ", "num_voxels"], True],
    "other classes": [[*CASE, "found"], {"x": {"num_voxels": 1, "volume_ml": 1.0}}],
    "no list of cases": [CASE[:2], {"a": 1}],
}


@pytest.mark.parametrize(("path", "value"), RECORDS.values(), ids=RECORDS)
def test_what_is_forged_in_a_summary_is_measured_anew(path, value, tmp_path, warm):
    assert not judge(warm("predicted"), edits.as_input([["set", path, value]])).told
    tree = edits.applied(seeds.tree("predicted"), [["set", path, value]])
    edits.write(tree, tmp_path)
    predict_into(tmp_path / "there", images=tmp_path / "images")
    summary = json.loads((tmp_path / "there/summary.json").read_text())
    (before,), (after,) = seeds.tree("predicted")["there/summary.json"]["cases"], summary["cases"]
    assert {**after, "images": None} == {**before, "images": None}


NO_FILES = {
    "a pipe": {"$fifo": 1},
    "a device": {"$link": "/dev/zero"},
    "a folder": {"$link": "."},
    "a link to itself": {"$loop": 1},
    "nested deeply": {"$times": ["[", 100_000]},
    "60 MB": {"$times": ["[]    ", 10_000_000]},
}
RECORD, SUMMARY, LABEL = "predicted-with.json", "summary.json", "phantom_002.nii.gz"


@pytest.mark.parametrize("content", NO_FILES.values(), ids=NO_FILES)
@pytest.mark.parametrize("name", [RECORD, SUMMARY, LABEL])
def test_what_is_no_file_of_ours_is_told(name, content, tmp_path, warm):
    """A link that leads nowhere counts as nothing, and is replaced."""
    data = edits.as_input([["set", [f"there/{name}"], content]])
    if "$loop" in content and name != RECORD:
        assert judge(warm("predicted"), data).is_fine
    else:
        refused(warm("predicted"), data, name)


def test_a_label_map_larger_than_any_volume_is_not_read(tmp_path):
    edits.write(seeds.tree("predicted"), tmp_path)
    with (tmp_path / "there" / LABEL).open("wb") as stream:
        stream.truncate(10**13)  # a hole: ten terabytes, and no byte on the disk
    with pytest.raises(Exception, match=r"phantom_002\.nii\.gz: has 1e\+04 GB, the limit is"):
        predict_into(tmp_path / "there", images=tmp_path / "images")
