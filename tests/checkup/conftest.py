"""What several checks are tested with."""

from collections.abc import Callable, Iterable

import pytest

from samssl_cli.checkup.finding import Finding

Named = Callable[[Iterable[Finding]], dict[str, Finding]]


@pytest.fixture
def named() -> Named:
    """Give findings by their names, once each is well formed."""

    def by_name(findings: Iterable[Finding]) -> dict[str, Finding]:
        listed = list(findings)
        for one in listed:
            assert one.name, one
            assert one.found, one
            assert "\n" not in one.found + one.cure, one
            assert one.cure or one.severity == "ok", one
        return {one.name: one for one in listed}

    return by_name
