from pathlib import Path

import numpy as np
import pytest

from samssl_cli import recipe
from samssl_cli.prompts import STRATEGIES
from samssl_cli.prompts.types import Prompt
from samssl_cli.registry import load


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_row_loads_has_a_source_and_a_test(name, rng):
    strategy = load(STRATEGIES, name, kind="strategy")
    assert "Source:" in strategy.__doc__
    assert STRATEGIES[name].source
    assert Path(__file__).with_name(f"test_{name.replace('-', '_')}.py").exists()
    nothing = np.zeros((2, 3, 4), np.float32)
    assert isinstance(strategy(nothing, nothing, recipe.Prompt(), rng), Prompt)


def test_the_default_strategies_exist():
    assert set(recipe.Prompt().strategies) <= set(STRATEGIES)
