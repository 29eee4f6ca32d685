"""docs/reliability.md and the tests that are named after its rows say the same."""

import re
from pathlib import Path

import pytest

from samssl_cli.errors import Interrupted, SamsslError, UsageError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUM_ROWS = 23

LINES = PAGE.partition("## Measured")[0].splitlines()
ROWS = {int(line.split("|")[1]): line for line in LINES if re.match(r"\| \d+ \|", line)}
FILES = re.compile(r"`(tests/[\w/]+\.py)`")
TESTS = re.compile(r"^def test_row_(\d\d)_", re.MULTILINE)


def rows_by_file() -> dict[str, set[int]]:
    """Which rows the tests of each file are named after."""
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    found = {path: {int(number) for number in TESTS.findall(text)} for path, text in texts.items()}
    return {path.relative_to(ROOT).as_posix(): rows for path, rows in found.items() if rows}


def exit_codes(page: str) -> dict[int, str]:
    lines = re.findall(r"^\| (\d+) \| ([^|]+) \|", page.partition("exit code |")[2], re.MULTILINE)
    return {int(code): meaning.partition(":")[0].strip() for code, meaning in lines}


def test_every_row_is_there() -> None:
    assert list(ROWS) == list(range(1, NUM_ROWS + 1))


@pytest.mark.parametrize("row", range(1, NUM_ROWS + 1))
def test_every_row_has_its_tests_and_names_their_files(row: int) -> None:
    named = set(FILES.findall(ROWS[row]))
    tested = {path for path, rows in rows_by_file().items() if row in rows}
    assert named == tested, f"row {row}: left what the page names, right where its tests are"
    assert tested


def test_no_test_is_named_after_a_row_that_is_not_there() -> None:
    assert set().union(*rows_by_file().values()) <= set(range(1, NUM_ROWS + 1))


def test_the_exit_codes_are_those_of_the_program_and_of_the_readme() -> None:
    codes = exit_codes(PAGE.partition("## Exit codes")[2])
    ours = {0, SamsslError.exit_code, UsageError.exit_code}
    ours |= {Interrupted(signum).exit_code for signum in (2, 10, 15)}
    assert set(codes) == ours | {137}
    readme = exit_codes(README)
    assert set(readme) == ours
