import pytest

from samssl_cli.cli.options import resolve
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.presets import PRESETS
from samssl_cli.generalists.published import find_weights
from samssl_cli.recipe import validate
from samssl_cli.registry import load
from samssl_cli.stages.asking import generalist_record
from samssl_cli.stages.which_generalist import which_generalist

WEIGHTS = {
    "sam-vit-b": ("sam", "sam_vit_b_01ec64.pth"),
    "sam-vit-l": ("sam", "sam_vit_l_0b3195.pth"),
    "sam-vit-h": ("sam", "sam_vit_h_4b8939.pth"),
    "medsam": ("medsam", "medsam_vit_b.pth"),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_short_name_is_a_row_with_options(name):
    chosen = resolve("default", None, sam_label__generalist=name).sam_label

    assert chosen.generalist == "sam"
    options = load(GENERALISTS, "sam", kind="generalist").Options
    validate(options, chosen.chosen_options, where=name)
    assert name not in GENERALISTS
    assert name in GENERALISTS["sam"].summary


@pytest.mark.parametrize("name", PRESETS)
def test_it_finds_its_weights_and_its_training(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMSSL_WEIGHTS", str(tmp_path))
    for _, file in WEIGHTS.values():
        (tmp_path / file).touch()
    which = which_generalist(resolve("default", None, sam_label__generalist=name), None)
    register, file = WEIGHTS[name]

    assert generalist_record(which, {})["register"] == register
    assert find_weights("sam", which.recipe.sam_label.chosen_options) == tmp_path / file


def test_one_of_several_may_have_a_short_name():
    chosen = resolve("default", None, sam_label__generalist=["medsam", "region-growing"]).sam_label
    assert chosen.generalists == ("sam", "region-growing")
    assert chosen.options["sam"] == {"preprocessing": "medsam"}


def test_the_flag_wins_and_leaves_other_options_alone():
    overrides = ["sam_label.options.sam.preprocessing=sam", "sam_label.options.sam.axis=all"]

    chosen = resolve("default", overrides, sam_label__generalist="medsam").sam_label

    assert chosen.chosen_options == {"preprocessing": "medsam", "axis": "all"}


def test_other_names_stay_as_they_are():
    assert resolve("default", None, sam_label__generalist="sam").sam_label.options == {}
    assert resolve("default", None, sam_label__generalist="sma").sam_label.generalist == "sma"
