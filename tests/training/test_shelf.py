"""Volumes are the same in memory and in the file, and a full disk is no reason to end."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from samssl_cli.errors import UsageError
from samssl_cli.training.shelf import Shelf

MB = 1e-3  # in GB


def volume(seed, shape=(1, 40, 50, 25)):  # 100 kB
    return np.random.default_rng(seed).normal(size=shape).astype(np.float16)


@pytest.fixture
def notes():
    return []


def test_what_fits_stays_where_it_is_and_the_rest_goes_into_the_file(notes):
    shelf = Shelf(0.25 * MB, notes.append)
    given = [volume(seed) for seed in range(4)]
    kept = [shelf.put(one) for one in given]
    assert [one is other for one, other in zip(given, kept, strict=True)] == [
        True,
        True,
        False,
        False,
    ]
    for one, other in zip(given, kept, strict=True):
        assert np.array_equal(one, other)
        assert (other.dtype, other.shape) == (one.dtype, one.shape)
    assert not kept[-1].flags.writeable
    (note,) = notes
    assert tempfile.gettempdir() in note
    assert "--volumes-gb" in note


def test_what_was_let_go_can_be_read_again():
    shelf = Shelf(0)
    given = volume(0)
    kept = shelf.put(given)
    for _ in range(3):
        assert np.array_equal(kept, given)
        shelf.let_go()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(7, dtype=np.uint8),
        np.zeros((0, 3), np.uint32),
        np.asfortranarray(volume(0, (3, 5, 7, 9))),
        volume(0, (3, 5, 7, 9))[:, ::2],
        np.array([True, False]),
    ],
)
def test_any_array_goes_into_the_file(array):
    kept = Shelf(0).put(array)
    assert np.array_equal(kept, array)
    assert (kept.dtype, kept.shape) == (array.dtype, array.shape)


def test_no_file_is_left_or_even_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = Shelf(0).put(volume(0))
    assert kept.size
    assert list(tmp_path.iterdir()) == []


def test_on_a_full_disk_volumes_stay_in_memory(notes, monkeypatch):
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    shelf = Shelf(0, notes.append)
    given = [volume(0), volume(1)]
    assert [shelf.put(one) is one for one in given] == [True, True]
    assert "No space left on device" in notes[-1]
    assert len(notes) == 2  # that there is a file, and that it takes no more


def test_without_a_folder_for_it_too(notes, monkeypatch):
    def refuse(**_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    given = volume(0)
    assert Shelf(0, notes.append).put(given) is given
    assert "TMPDIR" in notes[0]


@pytest.mark.parametrize("size", [-1.0, float("nan")])
def test_a_size_is_no_less_than_nothing(size):
    with pytest.raises(UsageError, match="--volumes-gb"):
        Shelf(size)
