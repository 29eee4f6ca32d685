"""What fuzzing once found stays within the rules."""

from pathlib import Path

import pytest

from tests.fuzz.target import judge

FINDINGS = sorted(Path(__file__).with_name("findings").glob("*/*"))


@pytest.mark.parametrize("path", FINDINGS, ids=[f"{p.parent.name}/{p.name}" for p in FINDINGS])
def test_a_finding_is_mended(path, warm):
    verdict = judge(warm(path.parent.name), path.read_bytes())
    assert verdict.is_fine, verdict
