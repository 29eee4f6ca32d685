import pytest

from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import UsageError
from samssl_cli.stages.sharding import read_shard


def task(number, count, low, high, step=1):
    values = {"ID": number, "COUNT": count, "MIN": low, "MAX": high, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize(("text", "shard"), [("1/1", Shard(1, 1)), ("02/4", Shard(2, 4))])
def test_a_shard_as_it_is_typed(text, shard):
    assert read_shard(text, {}) == shard


@pytest.mark.parametrize("text", ["", "2", "2/", "2 of 4", "a/b", "-1/4", "1/4/2", "٢/4"])
def test_what_is_no_shard(text):
    with pytest.raises(UsageError, match="write 2/4 for the second of four shares, or auto"):
        read_shard(text, {})


@pytest.mark.parametrize("text", ["0/4", "5/4", "0/0", "1/0"])
def test_a_number_beyond_the_count(text):
    with pytest.raises(UsageError, match=f"--shard {text}: "):
        read_shard(text, {})


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        (task(1, 4, 1, 4), Shard(1, 4)),
        (task(4, 4, 1, 4), Shard(4, 4)),
        (task(0, 4, 0, 3), Shard(1, 4)),
        (task(11, 3, 7, 15, 4), Shard(2, 3)),
        (task(11, 3, 7, 17, 4), Shard(2, 3)),  # --array=7-17:4 ends at 15
        (task(3, 1, 3, 3), Shard(1, 1)),  # one task of it, submitted alone, does all that is left
    ],
)
def test_auto_reads_any_range_of_an_array(environment, shard):
    assert read_shard("auto", environment) == shard


@pytest.mark.parametrize(
    "missing", ["ID", "COUNT", "MIN", "MAX", "STEP"], ids=lambda name: f"without {name}"
)
def test_auto_outside_an_array(missing):
    environment = task(1, 4, 1, 4)
    del environment[f"SLURM_ARRAY_TASK_{missing}"]
    with pytest.raises(UsageError, match=r"is not set, as outside of a Slurm array.*--shard 1/4"):
        read_shard("auto", environment)


@pytest.mark.parametrize("environment", [task(1, 3, 1, 7), task(4, 2, 1, 4, 2)])
def test_auto_in_a_list_that_is_no_range(environment):
    with pytest.raises(UsageError, match="are not evenly spaced; give --array a range"):
        read_shard("auto", environment)
