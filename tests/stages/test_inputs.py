import pytest

from samssl_cli.errors import UsageError
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.inputs import check_dropout, check_option_tables


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train_ssl.method_options.mean_teacher.ema_decay=0.5", "unknown method .*'mean_teacher'"),
        ("retrain.method_options.mt.ema_decay=0.5", "unknown method .*'mt'"),
        ("sam_label.options.region_growing.band=0.1", "unknown generalist .*'region_growing'"),
    ],
)
def test_a_misspelt_table_of_options_is_refused(override, message):
    with pytest.raises(UsageError, match=message):
        check_option_tables(read_recipe("quick", [override]))


def test_every_shipped_recipe_names_only_what_exists():
    for name in ("quick", "default", "la"):
        check_option_tables(read_recipe(name))


def test_options_of_a_method_that_is_not_chosen_change_no_fingerprint():
    other = read_recipe("quick", ["train_ssl.method_options.uamt.num_passes=2"])
    ours = read_recipe("quick")
    assert other.narrowed().options("train_ssl") == ours.narrowed().options("train_ssl")
    chosen = read_recipe("quick", ["train_ssl.method_options.mean-teacher.ema_decay=0.5"])
    assert chosen.narrowed().options("train_ssl") != ours.narrowed().options("train_ssl")


def test_a_method_that_compares_dropouts_needs_one():
    none, some = read_recipe("quick"), read_recipe("quick", ["network.dropout=0.2"])
    with pytest.raises(UsageError, match=r"regularized-dropout .* --set network.dropout=0.2"):
        check_dropout(none, "regularized-dropout")
    check_dropout(some, "regularized-dropout")
    check_dropout(none, "mean-teacher")
