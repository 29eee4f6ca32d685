"""Whatever a disk does to a sealed artifact, it is found, and named."""

import random
import shutil

import numpy as np
import pytest

from samssl_cli.artifacts.store import SealedStore, find_all_damage
from samssl_cli.errors import ArtifactError, DamagedArtifactError, MissingArtifactError


def files(artifact):
    return sorted(path for path in artifact.rglob("*") if path.is_file())


def read_all(artifact):
    store = SealedStore(artifact, "prompts")
    for name in store.names:
        store.member(name)


def test_a_whole_artifact_reads_and_verifies(sealed):
    read_all(sealed)
    assert find_all_damage(sealed) == []


def test_every_flipped_byte_is_found(sealed):
    rng = random.Random(0)
    for path in files(sealed) * 20:
        whole = path.read_bytes()
        place, flip = rng.randrange(len(whole)), rng.randrange(1, 256)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
        with pytest.raises((DamagedArtifactError, MissingArtifactError)) as caught:
            read_all(sealed)
        assert str(path.parent) in str(caught.value), (path, place, flip)
        path.write_bytes(whole)
    assert find_all_damage(sealed) == []


@pytest.mark.parametrize("harm", ["truncate", "empty", "delete", "swap"])
def test_every_harmed_file_is_named(sealed, harm):
    for path in files(sealed):
        whole = path.read_bytes()
        if harm == "delete":
            path.unlink()
        elif harm == "swap":  # valid bytes, of another file
            path.write_bytes((sealed / "b/mask/c/0/0/0").read_bytes() + b"\0")
        else:
            path.write_bytes(whole[: len(whole) // 2] if harm == "truncate" else b"")
        with pytest.raises(ArtifactError) as caught:
            read_all(sealed)
        assert str(path.parent) in str(caught.value)
        path.write_bytes(whole)


def test_a_deleted_case_is_named(sealed):
    shutil.rmtree(sealed / "a")
    with pytest.raises(DamagedArtifactError, match=r"x\.zarr/a: is damaged.*\n.*a: missing"):
        read_all(sealed)


def test_a_case_of_another_run_is_not_taken_for_ours(sealed, write, tmp_path):
    other = write(tmp_path / "y.zarr", {"a": {"image": np.zeros(3)}})
    shutil.rmtree(sealed / "a")
    shutil.copytree(other / "a", sealed / "a")
    with pytest.raises(DamagedArtifactError, match=r"a/zarr\.json: changed since it was sealed"):
        read_all(sealed)


def test_all_damage_is_told_at_once(sealed):
    (sealed / "a/image/c/0/0/0").unlink()
    (sealed / "b/mask/zarr.json").write_text("{}")
    lines = find_all_damage(sealed)
    assert [line.partition("x.zarr/")[2] for line in lines] == [
        "a/image/c/0/0/0: missing",
        "b/mask/zarr.json: changed since it was written",
    ]


def test_damaged_attributes_are_found_without_reading_arrays(sealed):
    metadata = sealed / "a/zarr.json"
    metadata.write_text(metadata.read_text().replace('"name": "a"', '"name": "b"'))
    with pytest.raises(DamagedArtifactError, match=r"a/zarr\.json: changed since it was sealed"):
        SealedStore(sealed).attributes("a")


def test_force_makes_a_damaged_artifact_again_and_keeps_what_is_whole(sealed, write, hashes):
    before = hashes(sealed)
    kept = (sealed / "b/image/c/0/0/0").stat().st_ino
    (sealed / "a/image/c/0/0/0").unlink()
    image = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    write(sealed, {"a": {"image": image, "mask": image > 0}}, force=True)
    assert hashes(sealed) == before
    assert (sealed / "b/image/c/0/0/0").stat().st_ino == kept


def test_force_makes_an_artifact_with_a_damaged_manifest_again(sealed, write):
    (sealed / "zarr.json").write_text("{}")
    with pytest.raises(DamagedArtifactError):
        write(sealed, {})
    write(sealed, {"a": {"image": np.zeros(3)}}, force=True)
    assert SealedStore(sealed).names == ("a",)
