import json
from pathlib import Path

import pytest

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.dataset import Dataset, RawCase
from samssl_cli.volumes.datasets.roles import Roles, assign_roles, read_names, read_split


def case(name, *, has_label=False, in_test=False):
    return RawCase(name, (Path(f"{name}.nii.gz"),), Path("l") if has_label else None, in_test)


# a, b, c have labels; u, v have none; t is in the test folder
CASES = (
    case("a", has_label=True),
    case("u"),
    case("b", has_label=True),
    case("c", has_label=True),
    case("v"),
    case("t", has_label=True, in_test=True),
)
DATASET = Dataset(Path("root"), "tiny", ("MRI",), ("background", "organ"), CASES, "nifti")

RULES = {
    "everything with a label": (None, None, "abc", "uv", "t"),
    "the first 2": (2, None, "ab", "cuv", "t"),
    "by name": (["c", "a"], None, "ca", "buv", "t"),
    "first 2 in the order of the split": (2, {"labeled": ["c", "b", "a"]}, "cb", "auv", "t"),
    "split in full": (None, {"labeled": "b", "unlabeled": "va", "test": "tc"}, "b", "va", "tc"),
    "split with test only": (1, {"test": ["b", "c"]}, "a", "uv", "bc"),
    "split with unlabeled only": (None, {"unlabeled": ["v", "c"]}, "ab", "vcu", "t"),
    "a named case leaves unlabeled": (["a"], {"unlabeled": ["a", "v"]}, "a", "bcvu", "t"),
}


@pytest.mark.parametrize(
    ("labeled", "split", "expected_labeled", "unlabeled", "test"), RULES.values(), ids=RULES
)
def test_rules(labeled, split, expected_labeled, unlabeled, test):
    roles = assign_roles(DATASET, labeled=labeled, split=split)
    assert roles == Roles(tuple(expected_labeled), tuple(unlabeled), tuple(test))


REFUSED = {
    "too many": (4, None, "4 labeled cases asked for, but there are 3"),
    "none": (0, None, "no labeled case"),
    "unknown": (["a", "x"], None, "no case is called 'x'"),
    "without label": (["u"], None, "case u is to be labeled, but has no label file"),
    "twice": (["a", "a"], None, "case a is listed 2 times"),
    "labeled and test": (["t"], None, "case t is listed 2 times"),
    "two roles": (None, {"labeled": ["a"], "unlabeled": ["a"]}, "case a is listed 2 times"),
    "unknown in split": (1, {"test": ["y"]}, "no case is called 'y'"),
}


@pytest.mark.parametrize(("labeled", "split", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(labeled, split, message):
    with pytest.raises(DataError, match=message):
        assign_roles(DATASET, labeled=labeled, split=split)


def test_all_problems_are_listed():
    with pytest.raises(DataError) as caught:
        assign_roles(DATASET, labeled=["u", "x", "a", "a"], split=None)
    assert len(caught.value.problems) == 3


def test_read_split(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"labeled": ["b", "a"], "test": []}))
    assert read_split(path) == {"labeled": ("b", "a"), "test": ()}


@pytest.mark.parametrize(
    ("values", "message"),
    [({"train": ["a"]}, "unknown key 'train'"), ({"test": "abc"}, "'test' is not a list")],
    ids=["key", "string"],
)
def test_read_split_refuses(tmp_path, values, message):
    (tmp_path / "split.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match=message):
        read_split(tmp_path / "split.json")


def test_read_names_skips_comments_and_blank_lines(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("# chosen by hand\nb\n\n  a  # the clearest\n")
    assert read_names(path) == ("b", "a")


def test_read_names_refuses_an_empty_list(tmp_path):
    (tmp_path / "names.txt").write_text("# nobody\n")
    with pytest.raises(DataError, match="lists no case"):
        read_names(tmp_path / "names.txt")
