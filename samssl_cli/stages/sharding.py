"""Which shard a person, or the array job of a cluster, means."""

import re
from collections.abc import Mapping

from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import UsageError

_TASK = "SLURM_ARRAY_TASK_"


def read_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """Read K/N, or take it from the environment of a task of an array.

    Raises:
        UsageError: when there is no such shard, or no such task.
    """
    if text == "auto":
        return _of_task(environment)
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if found is None:
        raise UsageError(f"--shard {text}: write 2/4 for the second of four shares, or auto")
    shard = Shard(int(found[1]), int(found[2]))
    if not 1 <= shard.number <= shard.count:
        raise UsageError(f"--shard {text}: of {shard.count} shares the numbers are 1 to the last")
    return shard


def _of_task(environment: Mapping[str, str]) -> Shard:
    """The first task of an array is shard 1, wherever the array begins and however it counts."""
    number, count = (_read(environment, name) for name in ("ID", "COUNT"))
    low, high, step = (_read(environment, name) for name in ("MIN", "MAX", "STEP"))
    tasks = range(low, high + 1, max(step, 1))
    if len(tasks) != count or number not in tasks:
        raise UsageError(
            f"--shard auto: the {count} tasks of this array, {low} to {high}, are not evenly "
            "spaced; give --array a range, such as 1-4"
        )
    return Shard(tasks.index(number) + 1, count)


def _read(environment: Mapping[str, str], name: str) -> int:
    value = environment.get(_TASK + name, "")
    if not value.isdecimal():
        raise UsageError(
            f"--shard auto: {_TASK}{name} is {value or 'not set'}, as outside of a Slurm array; "
            "submit with sbatch --array=1-4, or write --shard 1/4"
        )
    return int(value)
