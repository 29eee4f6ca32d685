import pytest

from samssl_cli.errors import UsageError
from samssl_cli.recipe import Prompt, Recipe, SamLabel
from samssl_cli.stages.asking import (
    check_strategies,
    generalist_record,
    seed_of_case,
)
from samssl_cli.stages.which_generalist import which_generalist


def test_the_seed_of_a_case_depends_on_its_name_alone():
    assert seed_of_case(0, "a") == seed_of_case(0, "a")
    assert len({seed_of_case(0, "a"), seed_of_case(0, "b"), seed_of_case(1, "a")}) == 3


def which(**section):
    return which_generalist(Recipe(sam_label=SamLabel(**section)), None)


def test_medsam_is_known_to_the_register_by_its_own_name():
    medsam = which(generalist="sam", options={"sam": {"preprocessing": "medsam"}})
    assert generalist_record(medsam, {"weights": "abc"}) == {
        "name": "sam",
        "register": "medsam",
        "weights_sha256": "abc",
    }
    assert generalist_record(which(), {})["register"] == "region-growing"


@pytest.mark.parametrize(
    ("options", "register"),
    [
        ({}, "sam-med3d-turbo"),
        ({"variant": "turbo"}, "sam-med3d-turbo"),
        ({"variant": "original"}, "sam-med3d"),
    ],
    ids=["by default", "turbo", "original"],
)
def test_the_trainings_of_sam_med3d_are_told_apart(options, register):
    med3d = which(generalist="sam-med3d", options={"sam-med3d": options})

    assert generalist_record(med3d, {})["register"] == register


def test_an_unknown_strategy_is_told():
    with pytest.raises(UsageError, match="unknown strategy 'clicks'"):
        check_strategies(Prompt(strategies=("box", "clicks")))
