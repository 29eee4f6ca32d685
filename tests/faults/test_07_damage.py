"""Row 7. Whatever a disk does to an artifact is found, named, and made again.

The units of this are in tests/artifacts/test_damage.py; here whole artifacts are harmed. The long
measurement is seeded: SAMSSL_FLIPS (1000) and SAMSSL_FLIP_SEED (2026).
"""

import os
import random
import shutil
import time
from collections import Counter

import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import load_progress
from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.generalist import write_generalist
from samssl_cli.artifacts.manifest import Plan, read_manifest
from samssl_cli.errors import ArtifactError, DamagedArtifactError, SamsslError
from samssl_cli.progress import Silent
from samssl_cli.stages.inspect import verify

NUM_FLIPS = int(os.environ.get("SAMSSL_FLIPS", "1000"))
SEED = int(os.environ.get("SAMSSL_FLIP_SEED", "2026"))

# One member that the next stage reads, of each artifact; and that stage.
READ_BY = {
    "cases": ("visible/phantom_002", "train"),
    "specialist": ("teacher", "prompt"),  # mean-teacher predicts with it
    "prompts": ("phantom_002", "label"),
    "pseudo": ("phantom_002", "retrain"),
    "student": ("student", "evaluate"),
}


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flip(path, rng):
    """Change one byte; gives back what was there."""
    whole = path.read_bytes()
    place, change = rng.randrange(len(whole)), rng.randrange(1, 256)
    path.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
    return whole


def truncate(path, _rng):
    path.write_bytes(path.read_bytes()[:-1])


def delete(path, _rng):
    path.unlink()


def chunk_of(member):
    return next(path for path in files(member) if path.parent.name == "0" or path.name == "0")


@pytest.mark.parametrize("harm", [flip, truncate, delete])
@pytest.mark.parametrize("name", READ_BY)
def test_row_07_the_next_stage_refuses_it_and_names_the_case(loop, copied, name, harm):
    member, stage = READ_BY[name]
    folder = copied(name)
    harm(chunk_of(folder / f"{name}.zarr" / member), random.Random(0))
    if name != "cases":
        (folder / "cases.zarr").symlink_to(loop.path("cases"))
    harmed = loop.beside(out=folder)
    with pytest.raises(DamagedArtifactError, match=member) as caught:
        getattr(harmed, stage)()
    assert caught.value.exit_code == 1
    assert "again with --force" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "member", "stage"),
    [
        ("cases", "visible/phantom_002", "preprocess"),
        ("cases", "heldout/phantom_004", "preprocess"),
        ("specialist", "curves", "train"),
        ("prompts", "phantom_002", "prompt"),
        ("pseudo", "phantom_003", "label"),
        ("scores", "case.phantom_004", "evaluate"),
    ],
)
@pytest.mark.parametrize("file", ["chunk", "zarr.json"])
def test_row_07_force_makes_that_case_again_and_no_other(
    loop, copied, hashes, name, member, stage, file
):
    names = ("cases", "specialist", "prompts", "pseudo", "student", "scores")
    folder = copied(name)
    for other in names[: names.index(name)]:
        (folder / f"{other}.zarr").symlink_to(loop.path(other))
    artifact = folder / f"{name}.zarr"
    harmed, case = artifact / member, member.rpartition("/")[2]
    kept = {path: path.stat().st_ino for path in files(artifact) if case not in str(path)}
    flip(chunk_of(harmed) if file == "chunk" else harmed / "zarr.json", random.Random(1))
    getattr(loop.beside(out=folder), stage)(force=True)
    assert hashes(artifact) == hashes(loop.path(name))
    if name != "specialist":  # a training has one result
        written_last = {artifact / "zarr.json", *artifact.glob("*/zarr.json")}
        written_last |= set(files(artifact / "values"))  # the table of all cases
        others = {path: node for path, node in kept.items() if path not in written_last}
        assert {path: path.stat().st_ino for path in others} == others


def test_row_07_verify_lists_all_damage(loop, copied):
    folder = copied("cases")
    rng = random.Random(2)
    harmed = ["visible/phantom_000/label", "visible/phantom_003/image", "heldout/phantom_005/label"]
    for array in harmed:
        flip(chunk_of(folder / "cases.zarr" / array), rng)
    with pytest.raises(DamagedArtifactError) as caught:
        verify(folder / "cases.zarr", Silent())
    assert str(caught.value).count("\n  - ") == len(harmed)
    assert all(array in str(caught.value) for array in harmed)


def test_row_07_a_damaged_case_of_an_unfinished_run_is_made_again(
    loop, tmp_path, hashes, stop_after
):
    unfinished = loop.linked(tmp_path, "cases", "specialist")
    with stop_after(2):
        unfinished.prompt()
    done = sorted(path.parent for path in (tmp_path / "prompts.zarr.part").glob("*/zarr.json"))
    assert len(done) == 2
    flip(chunk_of(done[0]), random.Random(3))
    unfinished.prompt()
    assert hashes(unfinished.path("prompts")) == hashes(loop.path("prompts"))


def test_row_07_a_damaged_training_state_falls_back_to_the_one_before(
    loop, tmp_path, hashes, stop_after
):
    unfinished = loop.linked(tmp_path, "cases")
    with stop_after(6):
        unfinished.train()
    states = sorted((tmp_path / "specialist.zarr.progress").glob("step-*"))
    flip(chunk_of(states[-1]), random.Random(4))
    assert load_progress(states[0].parent).step == int(states[-2].name[5:])
    unfinished.train()
    assert hashes(unfinished.path("specialist")) == hashes(loop.path("specialist"))


@pytest.fixture
def generalist(tmp_path):
    path, plan = tmp_path / "generalist.zarr", Plan("generalist", "pretrain-scout", {}, 0, {})
    with open_draft(path, plan) as draft:
        write_generalist(draft.root, {"w": np.arange(60.0)}, {"dice": np.ones(3, np.float32)})
        draft.seal({"generalist": "scout"})
    return path


def test_row_07_every_flipped_byte_is_found(copied, generalist, capsys):
    folder = copied("cases", "specialist", "prompts", "pseudo", "student", "scores")
    artifacts = [path for path in sorted(folder.iterdir()) if path.suffix == ".zarr"]
    places = {path: files(path) for path in artifacts}
    kinds = {read_manifest(path).kind for path in artifacts}
    assert kinds == {"cases", "checkpoint", "prompts", "labels", "scores", "generalist"}
    rng, told, started = random.Random(SEED), Counter(), time.monotonic()
    for number in range(NUM_FLIPS):
        artifact = artifacts[number % len(artifacts)]
        path = rng.choice(places[artifact])
        whole = flip(path, rng)
        told[outcome(artifact, path)] += 1
        path.write_bytes(whole)
    with capsys.disabled():
        print(  # noqa: T201  (the figures of docs/reliability.md)
            f"\n{NUM_FLIPS} flipped bytes with seed {SEED} in {sum(map(len, places.values()))} "
            f"files of {len(artifacts)} artifacts, {time.monotonic() - started:.0f} s: {dict(told)}"
        )
    assert told == {"named": NUM_FLIPS}
    for artifact in artifacts:
        verify(artifact, Silent())


def outcome(artifact, path):
    """What `samssl verify` makes of a flipped byte."""
    try:
        verify(artifact, Silent())
    except ArtifactError as error:
        return "named" if str(path.parent) in str(error) else "told, but not where"
    except SamsslError:
        return "another error"
    except Exception as error:
        return f"a traceback: {type(error).__name__}"
    return "missed"


def test_row_07_a_deleted_folder_of_an_artifact_is_named(loop, copied):
    folder = copied("cases")
    shutil.rmtree(folder / "cases.zarr/heldout")
    with pytest.raises(DamagedArtifactError, match="heldout: missing"):
        verify(folder / "cases.zarr", Silent())
