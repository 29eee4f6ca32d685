"""Every row of CHECKS, and the promise that the table costs nothing to read."""

import subprocess
import sys
from pathlib import Path

import pytest

from samssl_cli.checkup import CHECKS
from samssl_cli.registry import load

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", CHECKS)
def test_every_row_loads_has_a_source_and_a_test_file(name):
    check = load(CHECKS, name, kind="check")
    assert check.__doc__
    assert CHECKS[name].summary
    assert CHECKS[name].source
    assert (HERE / f"test_{name}.py").exists()


def test_the_table_and_what_starts_the_checks_are_read_without_libraries():
    code = (
        "import sys, samssl_cli.stages.doctor, samssl_cli.cli.doctor;"
        "slow = {'torch', 'numpy', 'zarr', 'pydantic', 'filelock', 'packaging'};"
        "assert not slow & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
