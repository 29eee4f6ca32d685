import errno
import json
import os

import numpy as np
import pytest

from samssl_cli.artifacts.members import find_damage, read_member, write_member
from samssl_cli.errors import ArtifactError, DamagedArtifactError

ARRAYS = {
    "0-d": np.array(2.5),
    "empty": np.zeros((0, 3), np.int64),
    "float16": np.linspace(-6, 6, 60, dtype=np.float16).reshape(3, 4, 5),
    "bool": np.eye(4, dtype=bool),
    "uint8": np.arange(256, dtype=np.uint8),
    "float64": np.array([np.nan, -0.0, 1e300]),
    "zeros": np.zeros((2, 2), np.float32),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
}


def write(path, arrays, attributes=None):
    write_member(path, arrays, attributes or {}, staging=path.with_name("staging"))
    return path


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_an_array_comes_back_as_it_went(tmp_path, array):
    member = read_member(write(tmp_path / "m", {"a": array}, {"case": "é"}))
    back = member.arrays["a"]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)
    assert member.attributes == {"case": "é"}


def test_a_large_volume_is_cut_into_chunks_and_comes_back(tmp_path):
    volume = np.random.default_rng(0).integers(0, 9, (1, 260, 260, 260)).astype(np.float16)
    member = write(tmp_path / "m", {"image": volume})  # 35 MB: over the limit of one chunk
    assert len(list((member / "image/c").rglob("*"))) > 5**3  # ceil(260 / 64) = 5 per side
    np.testing.assert_array_equal(read_member(member).arrays["image"], volume)


def test_every_array_is_stored_with_a_checksum(tmp_path):
    member = write(tmp_path / "m", ARRAYS)
    for name in ARRAYS:
        codecs = json.loads((member / name / "zarr.json").read_bytes())["codecs"]
        assert codecs[-1]["name"] == "crc32c"


def test_a_chunk_of_zeros_is_stored_as_well(tmp_path):
    member = write(tmp_path / "m", {"zeros": np.zeros((2, 2))})
    (member / "zeros/c/0/0").unlink()  # zarr alone would read zeros, and say nothing
    with pytest.raises(DamagedArtifactError, match=r"zeros/c/0/0: missing"):
        read_member(member)


def test_equal_arrays_give_equal_bytes(tmp_path, hashes):
    first, second = (write(tmp_path / name / "m", ARRAYS) for name in "ab")
    assert hashes(first) == hashes(second)


def test_a_member_replaces_another_whole(tmp_path):
    write(tmp_path / "m", {"old": np.zeros(3)})
    assert set(read_member(write(tmp_path / "m", {"new": np.ones(3)})).arrays) == {"new"}


def test_without_a_manifest_the_metadata_vouches_for_itself(tmp_path):
    member = write(tmp_path / "m", {"a": np.zeros(3)}, {"spacing": 1.25})
    metadata = member / "zarr.json"
    metadata.write_text(metadata.read_text().replace("1.25", "1.75"))
    assert find_damage(member) == [f"{metadata}: changed since it was written"]


def test_a_full_disk_is_one_clear_line_and_leaves_no_member(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    expected = r"m: cannot be written: .*No space left on device \([\d.]+ MB free on its disk\)"
    with pytest.raises(ArtifactError, match=expected):
        write(tmp_path / "m", {"a": np.zeros(3)})
    assert not (tmp_path / "m").exists()
