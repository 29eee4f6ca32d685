"""The examples do what their first lines say."""

import importlib.util
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from samssl_cli.generalists import GENERALISTS
from samssl_cli.methods import METHODS
from samssl_cli.prompts import STRATEGIES

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """An example as a module; its row leaves the table again afterwards."""
    name = request.param
    tables = (METHODS, STRATEGIES, GENERALISTS)
    before = [dict(table) for table in tables]
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]
    for table, rows in zip(tables, before, strict=True):
        table.clear()
        table.update(rows)


@pytest.mark.parametrize("example", ["your_own_method"], indirect=True)
def test_own_method_gives_its_loss(example: ModuleType) -> None:
    losses = example.one_step()
    assert set(losses) == {"supervised", "entropy"}
    assert 0 < losses["entropy"] <= 0.1 * math.log(2)  # weight times the largest entropy


@pytest.mark.parametrize("example", ["your_own_strategy"], indirect=True)
def test_own_strategy_clicks_the_centre(example: ModuleType) -> None:
    points = example.one_object().points
    assert points.coordinates.tolist() == [[3, 3, 5]]
    assert points.is_positive.tolist() == [True]


@pytest.mark.parametrize("example", ["your_own_generalist"], indirect=True)
def test_own_generalist_finds_the_box(example: ModuleType) -> None:
    inside = example.one_object()
    assert inside.sum() == 4**3
    assert np.argwhere(inside).min() == 2


def test_every_python_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "your_own_method",
        "your_own_strategy",
        "your_own_generalist",
    }


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_quickstart_is_a_shell_script() -> None:
    subprocess.run(["bash", "-n", str(EXAMPLES / "quickstart.sh")], check=True)
