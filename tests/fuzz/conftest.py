"""Targets of which everything is imported that a reader needs."""

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.fuzz.target import Target, warm_up
from tests.fuzz.targets import TARGETS


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nibabel tells of every header that it repairs."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def warm() -> Callable[[str], Target]:
    """Give a target by its name."""
    done: set[str] = set()

    def warmed(name: str) -> Target:
        if name not in done:
            warm_up(TARGETS[name])
            done.add(name)
        return TARGETS[name]

    return warmed
