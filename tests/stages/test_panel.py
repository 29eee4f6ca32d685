from pathlib import Path

import numpy as np
import pytest

from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.generalist import write_generalist
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.cli.options import checkpoints
from samssl_cli.errors import UsageError
from samssl_cli.progress import Silent
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.stages.panel import (
    choose_panel,
    panel_inputs,
    panel_of,
    weights_of,
    which_generalists,
    with_rows,
)

ADAPTED = {"from_sha256": "abc", "cases_fingerprint": "def", "steps": 3}
TWO = SamLabel(generalist=("region-growing", "sam"))


def found(generalist, weights):
    return which_generalists(Recipe(sam_label=SamLabel(generalist=generalist)), weights)


@pytest.fixture
def scout(tmp_path):
    """Writes weights of scout; `about` says more of them."""

    def write(about):
        path = tmp_path / "scout.zarr"
        with open_draft(path, Plan("generalist", "any", {}, 0, {})) as draft:
            write_generalist(draft.root, {"weight": np.zeros(1, np.float32)}, {})
            draft.seal({"generalist": "scout", **about})
        return path

    return write


def test_one_generalist_needs_no_name_for_its_file():
    assert weights_of(SamLabel(generalist="sam"), Path("a")) == {"sam": Path("a")}
    assert weights_of(SamLabel(), None) == {"atlas": None}
    assert weights_of(TWO, {"sam": Path("a")}) == {"region-growing": None, "sam": Path("a")}


def test_of_several_it_has_to_be_said_whose_a_file_is():
    with pytest.raises(UsageError, match=r"say whose it is: --checkpoint region-growing=a"):
        weights_of(TWO, Path("a"))
    with pytest.raises(UsageError, match="sam-med3d is not asked, but region-growing and sam"):
        weights_of(TWO, {"sam-med3d": Path("a")})


def test_weights_are_inputs_under_the_names_of_several(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"any")
    alone = panel_of(found("sam", {"sam": path}))
    assert set(panel_inputs(alone)) == {"weights"}
    both = choose_panel(found(TWO.generalist, {"sam": path}), None, Silent())
    assert [one.name for one in both] == ["region-growing", "sam"]
    assert panel_inputs(both) == {"weights of sam": panel_inputs(alone)["weights"]}
    assert both[1].record == {
        "name": "sam",
        "register": "sam",
        "weights_sha256": panel_inputs(alone)["weights"],
    }


@pytest.mark.parametrize(
    ("about", "is_adapted"),
    [({}, False), ({"adapted": {**ADAPTED, "steps": 0}}, False), ({"adapted": ADAPTED}, True)],
    ids=["pre-trained", "left as it was", "adapted"],
)
def test_weights_that_were_adapted_are_known_as_such(scout, about, is_adapted):
    (one,) = panel_of(found(str(scout(about)), None))
    assert one.name == "scout"
    assert one.is_adapted is is_adapted
    assert ("adapted" in one.record) is bool(about)


def test_a_row_stands_in_the_recipe_for_a_path(scout):
    asked = found(("region-growing", str(scout({}))), None)
    section = with_rows(Recipe(), asked).sam_label
    assert section.generalists == ("region-growing", "scout")
    assert set(section.options) == {"region-growing", "scout"}


def test_a_row_is_asked_once(scout):
    with pytest.raises(UsageError, match="are of one row"):
        found(("scout", str(scout({}))), None)


def test_one_name_in_a_list_is_that_name():
    assert SamLabel(generalist=("sam",)) == SamLabel(generalist="sam")


def test_words_for_files():
    assert not checkpoints([])
    assert checkpoints(["a.pth"]) == Path("a.pth")
    both = checkpoints(["sam=a.pth", "scout=b"])
    assert both == {"sam": Path("a.pth"), "scout": Path("b")}
    for words in (["a.pth", "b.pth"], ["sam=a", "sam=b"], ["sam=a", "b"]):
        with pytest.raises(UsageError, match="whose each file is"):
            checkpoints(words)
