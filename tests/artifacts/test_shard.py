import pytest

from samssl_cli.artifacts.shard import Shard, share

NAMES = tuple("abcdefg")


def test_the_shares_are_disjoint_and_together_all_cases():
    shares = [Shard(number, 3).of(NAMES) for number in (1, 2, 3)]
    assert shares == [["a", "d", "g"], ["b", "e"], ["c", "f"]]


@pytest.mark.parametrize("count", [1, 2, 5, 7, 9])
def test_no_case_is_lost_whatever_the_count(count):
    shares = [Shard(number, count).of(NAMES) for number in range(1, count + 1)]
    assert sorted(name for names in shares for name in names) == list(NAMES)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_without_a_shard_it_is_all_of_them():
    assert share(NAMES, None) == list(NAMES)
    assert share(NAMES, Shard(2, 4)) == ["b", "f"]


def test_it_reads_as_it_is_typed():
    assert str(Shard(2, 4)) == "2/4"
