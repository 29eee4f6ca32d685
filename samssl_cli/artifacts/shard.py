"""A share of the cases of one command, for one of several processes."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Shard:
    """One of `count` shares that have no case in common and together have all of them."""

    number: int
    """From 1."""
    count: int

    def __str__(self) -> str:
        """As it is typed: 2/4."""
        return f"{self.number}/{self.count}"

    def of(self, names: Sequence[str]) -> list[str]:
        """Every `count`-th name, beginning with the `number`-th; of few names perhaps none."""
        return list(names[self.number - 1 :: self.count])


def share(names: Sequence[str], shard: Shard | None) -> list[str]:
    """The cases of a shard, in their order; all of them without one."""
    return list(names) if shard is None else shard.of(names)
