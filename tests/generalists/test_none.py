import pytest

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.registry import load


def test_there_is_nobody_to_build():
    nobody = load(GENERALISTS, "none", kind="generalist")
    with pytest.raises(UsageError, match="asks nobody"):
        nobody.build({}, checkpoint=None, device="cpu")
    with pytest.raises(RecipeError, match=r"sam_label\.options\.none"):
        nobody.build({"weight": 1}, checkpoint=None, device="cpu")


def test_it_is_the_only_row_that_is_not_asked():
    assert [name for name, row in GENERALISTS.items() if not row.is_asked] == ["none"]
