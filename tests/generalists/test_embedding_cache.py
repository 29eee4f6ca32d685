import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from samssl_cli.errors import UsageError
from samssl_cli.generalists.embedding_cache import EmbeddingCache

ARRAY = np.arange(500, dtype=np.float16).reshape(1, 5, 10, 10)
ENTRY_GB = (32 + 128 + 1000) / 1e9  # digest, header of .npy, 500 numbers


def _key(number: int) -> str:
    return f"{number:064x}"


def _entries(folder: Path) -> set[int]:
    return {int(path.stem, 16) for path in folder.glob("??/*.npy")}


def _last_used(folder: Path, number: int, seconds_ago: float) -> None:
    then = time.time() - seconds_ago
    os.utime(folder / _key(number)[:2] / f"{_key(number)}.npy", (then, then))


def test_what_was_put_is_found_by_another_process_to_the_bit(tmp_path):
    odd = np.array([np.nan, np.inf, -0.0, 6e-8], np.float16)
    EmbeddingCache(tmp_path, max_gb=1).put(_key(1), odd)

    later = EmbeddingCache(tmp_path, max_gb=1)
    found = later.get(_key(1))

    assert found is not None
    assert found.tobytes() == odd.tobytes()
    assert found.dtype == np.float16
    assert later.get(_key(2)) is None
    assert (later.num_found, later.num_computed) == (1, 0)


def test_nothing_is_written_before_there_is_something_to_keep(tmp_path):
    folder = tmp_path / "not" / "yet"
    assert EmbeddingCache(folder, max_gb=1).get(_key(1)) is None
    assert not folder.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda content: b"",
        lambda content: content + b"x",
        lambda content: content[:600] + bytes([content[600] ^ 1]) + content[601:],
    ],
    ids=["a byte short", "cut in the digest", "empty", "a byte long", "one bit"],
)
def test_a_damaged_entry_is_absent_and_can_be_put_again(tmp_path, damage):
    cache = EmbeddingCache(tmp_path, max_gb=1)
    cache.put(_key(1), ARRAY)
    (path,) = tmp_path.glob("??/*.npy")
    path.write_bytes(damage(path.read_bytes()))

    assert cache.get(_key(1)) is None
    cache.put(_key(1), ARRAY)
    assert np.array_equal(cache.get(_key(1)), ARRAY)


def test_an_entry_under_the_name_of_another_is_absent(tmp_path):
    cache = EmbeddingCache(tmp_path, max_gb=1)
    cache.put(_key(1), ARRAY)
    (path,) = tmp_path.glob("??/*.npy")
    path.rename(path.with_name(f"{_key(2)}.npy"))

    assert cache.get(_key(2)) is None


def test_what_was_unused_longest_goes_first(tmp_path):
    cache = EmbeddingCache(tmp_path, max_gb=4 * ENTRY_GB)
    for number in range(1, 5):
        cache.put(_key(number), ARRAY)
        _last_used(tmp_path, number, seconds_ago=100 - number)
    cache.get(_key(1))

    cache.put(_key(5), ARRAY)  # five entries; 90 % of four leaves room for three

    assert _entries(tmp_path) == {1, 4, 5}


def test_only_entries_are_ever_removed(tmp_path):
    (tmp_path / "ab").mkdir()
    mine = [tmp_path / "ab" / "scan.npy", tmp_path / "ab" / f"{_key(9)}.npy", tmp_path / "a.txt"]
    for path in mine:
        path.write_bytes(b"x" * 5000)
    cache = EmbeddingCache(tmp_path, max_gb=ENTRY_GB)

    for number in range(3):
        cache.put(_key(number), ARRAY)

    assert all(path.exists() for path in mine)


def test_what_a_killed_process_left_aside_is_removed_once_it_is_old(tmp_path):
    aside = tmp_path / "unfinished"
    aside.mkdir()
    for name, age_s in (("old", 7200), ("young", 60)):
        (aside / name).touch()
        os.utime(aside / name, (time.time() - age_s,) * 2)

    EmbeddingCache(tmp_path, max_gb=1).put(_key(1), ARRAY)

    assert [path.name for path in aside.iterdir()] == ["young"]


def test_a_disk_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").touch()
    cache = EmbeddingCache(tmp_path / "file", max_gb=1)

    cache.put(_key(1), ARRAY)
    cache.put(_key(2), ARRAY)

    assert cache.get(_key(1)) is None
    assert cache.report().endswith("2 computed; not all are kept there: Not a directory")


@pytest.mark.parametrize("max_gb", [0, -1, float("nan")])
def test_a_cache_of_no_size_is_refused(tmp_path, max_gb):
    with pytest.raises(UsageError, match="has to be above 0 GB"):
        EmbeddingCache(tmp_path, max_gb=max_gb)


def _put_and_get_many(folder: Path, seed: int) -> None:
    cache = EmbeddingCache(folder, max_gb=20 * ENTRY_GB)
    for number in np.random.default_rng(seed).integers(0, 40, 200):
        found = cache.get(_key(number))
        if found is None:
            cache.put(_key(number), ARRAY + np.float16(number))
        else:
            assert np.array_equal(found, ARRAY + np.float16(number))
    assert not cache.trouble


def test_two_processes_at_once_never_see_half_an_entry(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_put_and_get_many, args=(tmp_path, n)) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert 0 < len(_entries(tmp_path)) <= 22  # 20, and 5 % more for each process
    assert list((tmp_path / "unfinished").iterdir()) == []
