from types import SimpleNamespace

import numpy as np
import pytest

from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.generalist import write_fold_weights, write_generalist
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import UsageError
from samssl_cli.generalists.halves import ByHalves
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.stages.out_of_fold import OutOfFold
from samssl_cli.stages.panel import panel_of, which_generalists
from samssl_cli.volumes.half import Half

HIGH, LOW = (Half(axis=1, voxel=4, side=side) for side in ("high", "low"))


def cases(*labeled, fingerprint="same"):
    return SimpleNamespace(path="cases.zarr", labeled=labeled, fingerprint=fingerprint)


@pytest.fixture
def scout(tmp_path):
    """Writes an adapted scout that left out `folds`: pairs of cases and a half."""

    def write(*folds, steps=5):
        path = tmp_path / "scout.zarr"
        with open_draft(path, Plan("generalist", "adapt", {}, 0, {})) as draft:
            write_generalist(draft.root, {"of": np.zeros(1)}, {})
            for number, (names, half) in enumerate(folds):
                tensors = {"of": np.full(1, number + 1.0)}
                write_fold_weights(draft.root, number, tensors, cases=names, half=half)
            adapted = {"from_sha256": "x", "cases_fingerprint": "same", "steps": steps}
            draft.seal({"generalist": "scout", "adapted": adapted})
        return path

    return write


@pytest.fixture
def asked():
    """An `OutOfFold` of these rows or paths, and what it loads: the first tensor, a number."""

    def make(cases, *generalists):
        section = SamLabel(generalist=tuple(str(one) for one in generalists))
        panel = panel_of(which_generalists(Recipe(sam_label=section), None))
        loads = []

        def load(one, without):
            if one.looks_at_labels:
                return f"shown all but {' and '.join(without)}"
            assert not without
            loads.append(float(one.which.own.tensors()["of"][0]))
            return loads[-1]

        return OutOfFold(panel, ["all"] * len(panel), cases, load), loads

    return make


def test_about_a_case_those_weights_are_asked_that_left_it_out(scout, asked):
    path = scout((("a", "c"), None), (("b",), None))
    both, loads = asked(cases("a", "b", "c", "d"), "region-growing", path)

    order = both.in_order(["a", "b", "c", "d"])
    found = {case: list(both.about(case)) for case in order}

    assert found["a"] == found["c"] == ["all", 1]
    assert found["b"] == ["all", 2]
    assert found["d"] == ["all", "all"]  # nothing was learned from it
    assert loads == [1, 2]  # each once
    assert both.adapted == ["scout"]
    assert both.names == ["region-growing", "scout"]


def test_of_a_single_case_each_half_is_asked_about_with_weights_that_left_it_out(scout, asked):
    one, loads = asked(cases("a"), scout((("a",), HIGH), (("a",), LOW)))

    (found,) = one.about("a")

    assert isinstance(found, ByHalves)
    assert found._both == (1, 2)
    assert found._half == HIGH
    assert loads == [1, 2]


def test_without_adaptation_all_are_asked_as_they_are(scout, asked):
    for generalist in ("region-growing", scout(steps=0)):
        one, loads = asked(cases("a"), generalist)
        assert list(one.about("a")) == ["all"]
        assert one.adapted == loads == []


def test_adapted_weights_from_before_are_refused_with_the_cure(scout, asked):
    with pytest.raises(UsageError, match=r"scout\.zarr: was adapted .* run samssl adapt again"):
        asked(cases("a"), scout())


def test_the_same_names_in_other_cases_are_refused(scout, asked):
    path = scout((("a",), None), (("b",), None))
    with pytest.raises(UsageError, match=r"was adapted to a, as preprocessed or split otherwise"):
        asked(cases("a", "x", fingerprint="other"), path)

    other, _ = asked(cases("x", fingerprint="other"), path)
    assert list(other.about("x")) == ["all"]


def test_one_that_looks_at_labels_is_shown_the_other_cases(scout, asked):
    path = scout((("a",), None), (("b",), None))
    both, _ = asked(cases("a", "b", "c"), "atlas", path)

    found = {case: list(both.about(case)) for case in both.in_order(["a", "b", "c"])}

    assert found["a"] == ["shown all but a", 1]
    assert found["b"] == ["shown all but b", 2]
    assert found["c"] == ["shown all but c", "all"]
    assert both.adapted == ["scout"]


def test_of_a_single_case_nothing_is_left_to_show(asked):
    with pytest.raises(UsageError, match=r"atlas looks at the labeled cases; .* has but 1: use"):
        asked(cases("a"), "atlas")
