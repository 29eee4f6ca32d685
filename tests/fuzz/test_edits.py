import random

from tests.fuzz import edits

TREE: edits.Tree = {"a.json": {"x": [1, 2]}}


def test_edits_that_leave_no_file_are_followed_by_others():
    data = edits.as_input([["remove", ["a.json"], None]])
    rng = random.Random(0)
    for _ in range(100):
        assert edits.parse(edits.changed(data, TREE, rng)) is not None


def test_a_link_to_itself_is_one(tmp_path):
    edits.write({"a": {"$loop": 1}}, tmp_path)
    assert (tmp_path / "a").is_symlink()
    assert not (tmp_path / "a").exists()
