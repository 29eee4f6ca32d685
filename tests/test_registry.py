import subprocess
import sys

import pytest

from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.guesses import FIRST_GUESSES
from samssl_cli.methods import METHODS
from samssl_cli.metrics import METRICS
from samssl_cli.networks import NETWORKS
from samssl_cli.prompts import STRATEGIES
from samssl_cli.registry import Entry, check_name, load

TABLES = {
    "method": METHODS,
    "network": NETWORKS,
    "generalist": GENERALISTS,
    "strategy": STRATEGIES,
    "first guess": FIRST_GUESSES,
    "metric": METRICS,
}
ROWS = [
    pytest.param(kind, name, id=f"{kind}-{name}")
    for kind, table in TABLES.items()
    for name in table
]

TABLE = {"root": Entry("math:sqrt", "the square root", "Euclid"), "log": Entry("math:log", "", "")}


def test_a_row_is_imported_when_it_is_loaded():
    assert load(TABLE, "root", kind="function")(9) == 3


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match="unknown function 'sine'; known: log, root") as caught:
        load(TABLE, "sine", kind="function")
    assert caught.value.exit_code == 2


def test_checking_a_name_imports_nothing():
    check_name({"ghost": Entry("no.such.module:part", "", "")}, "ghost", kind="function")


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_every_row_loads_and_says_what_it_is_and_where_it_is_from(kind, name):
    entry = TABLES[kind][name]
    part = load(TABLES[kind], name, kind=kind)
    assert callable(part)
    assert part.__doc__
    assert entry.summary
    assert entry.source


def test_the_tables_and_the_recipe_are_read_without_torch():
    code = (
        "import sys, samssl_cli.recipe, samssl_cli.methods, samssl_cli.networks, "
        "samssl_cli.generalists, samssl_cli.prompts, samssl_cli.metrics, samssl_cli.guesses;"
        "assert not {'torch', 'monai', 'scipy'} & set(sys.modules), 'slow import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
