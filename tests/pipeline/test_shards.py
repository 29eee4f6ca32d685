"""Several processes share the cases of one command: the artifact is the one that none shared."""

import gzip
import shutil
import signal

import pytest

from samssl_cli.artifacts.claims import claimed
from samssl_cli.artifacts.shard import Shard

STAGES = ("preprocess", "prompt", "sam-label", "evaluate")


def leftovers(folder):
    """What lies in the folder but an artifact and its tables."""
    return [path.name for path in folder.iterdir() if path.suffix not in {".zarr", ".csv", ".json"}]


@pytest.mark.parametrize("stage", STAGES)
def test_the_last_of_three_shards_seals_the_same_artifact(
    stage, samssl, loop, command, output_of, tmp_path, hashes
):
    """And one of them was killed on the way, and is run again alone."""
    output = tmp_path / f"{output_of[stage]}.zarr"

    def shard(text, **kwargs):
        return samssl(*command(stage, loop.out, output, "--shard", text), **kwargs)

    killed = shard("1/3", after_path=tmp_path / f"{output.name}.part" / "zarr.json")
    assert killed.code == -signal.SIGKILL, killed.stderr
    for text in ("3/3", "2/3"):
        done = shard(text)
        assert (done.code, done.stdout) == (0, ""), done.stderr
        assert not output.exists()
    assert "the last one to end seals it" in done.stderr
    last = shard("1/3")
    assert last.code == 0, last.stderr
    assert last.stdout == f"{output}\n"
    assert hashes(output) == hashes(loop.path(output_of[stage]))
    assert leftovers(tmp_path) == []
    if stage == "evaluate":
        for ending in (".csv", ".json"):
            table, whole = output.with_suffix(ending), loop.out / f"scores{ending}"
            assert table.read_bytes() == whole.read_bytes()
    again = shard("2/3")
    assert "is up to date" in again.stderr
    assert again.stdout == f"{output}\n"


def test_shards_at_the_same_time(samssl, loop, command, tmp_path, hashes):
    output = tmp_path / "prompts.zarr"
    texts = ("1/3", "2/3", "3/3")
    done = samssl.together(*(command("prompt", loop.out, output, "--shard", one) for one in texts))
    assert [one.code for one in done] == [0, 0, 0], [one.stderr for one in done]
    assert f"{output}\n" in [one.stdout for one in done]
    assert hashes(output) == hashes(loop.path("prompts"))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("held", "words", "who"),
    [
        (Shard(1, 2), (), "shard 1/2, process"),
        (Shard(1, 2), ("--shard", "1/2"), "shard 1/2, process"),
        (Shard(1, 2), ("--shard", "2/3"), "shard 1/2, process"),
        (None, ("--shard", "1/2"), "process"),
    ],
    ids=str,
)
def test_who_would_write_the_same_fails_at_once(held, words, who, samssl, loop, command, tmp_path):
    output = tmp_path / "prompts.zarr"
    with claimed(output, held) as claim:
        with claim.turn():
            claim.take()
        refused = samssl(*command("prompt", loop.out, output, *words))
    assert refused.code == 1
    assert f"is being written by {who}" in refused.stderr
    assert not output.with_name("prompts.zarr.part").exists()


def test_auto_is_the_task_of_an_array_and_nothing_without_one(
    samssl, loop, command, tmp_path, hashes
):
    output = tmp_path / "prompts.zarr"
    arguments = command("prompt", loop.out, output, "--shard", "auto")
    refused = samssl(*arguments)
    assert refused.code == 2
    assert "SLURM_ARRAY_TASK_ID is not set, as outside of a Slurm array" in refused.stderr
    array = {"COUNT": "2", "MIN": "0", "MAX": "5", "STEP": "5"}
    for number in ("5", "0"):
        task = {f"SLURM_ARRAY_TASK_{name}": value for name, value in array.items()}
        done = samssl(*arguments, env={**task, "SLURM_ARRAY_TASK_ID": number})
        assert done.code == 0, done.stderr
    assert hashes(output) == hashes(loop.path("prompts"))


def test_each_shard_checks_its_own_cases(samssl, phantom, recipe_path, tmp_path):
    """A defect keeps the artifact from being sealed, not the other shards from working."""
    data, output = tmp_path / "data", tmp_path / "cases.zarr"
    shutil.copytree(phantom, data)
    (data / "imagesTr/phantom_001_0000.nii.gz").write_bytes(gzip.compress(b"hello"))
    common = ("preprocess", data, "-o", output, "--labeled", 1, "--workers", 1)
    keep = ("--recipe", recipe_path, "--spacing-mm", "keep")
    found = {text: samssl(*common, *keep, "--shard", text, "--force") for text in ("1/2", "2/2")}
    assert {text: one.code for text, one in found.items()} == {"1/2": 0, "2/2": 1}
    assert "phantom_001" in found["2/2"].stderr
    assert not output.exists()


@pytest.fixture(scope="module")
def predict(loop, phantom, recipe_path):
    """Give the arguments that predict all images of the phantom's training cases."""

    def arguments(output, *more):
        images = (loop.path("student"), phantom / "imagesTr", "-o", output)
        return ["predict", *images, "--recipe", recipe_path, "--device", "cpu", *more]

    return arguments


@pytest.fixture(scope="module")
def predicted(samssl, predict, tmp_path_factory):
    """The folder that one process filled."""
    folder = tmp_path_factory.mktemp("predicted")
    assert samssl(*predict(folder)).code == 0
    return folder


def test_shards_predict_disjoint_files_of_one_folder(samssl, predict, predicted, tmp_path, hashes):
    out = tmp_path / "out"
    first = samssl(*predict(out, "--shard", "2/2"))
    assert first.code == 0, first.stderr
    names = ["phantom_001.nii.gz", "phantom_003.nii.gz"]
    assert first.stdout.splitlines() == [str(out / name) for name in names]
    assert sorted(path.name for path in out.glob("*.nii.gz")) == names
    second, third = samssl.together(predict(out, "--shard", "1/2"), predict(out, "--shard", "2/2"))
    assert (second.code, third.code) == (0, 0), second.stderr + third.stderr
    assert "is up to date" in third.stderr
    assert hashes(out) == hashes(predicted)  # summary.json has all cases; no lock is left


def test_a_folder_is_filled_by_all_shards_or_by_one_process(samssl, predict, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with claimed(out, Shard(1, 2), place=out / "samssl") as claim:
        with claim.turn():
            claim.take()
        for refused in (samssl(*predict(out)), samssl(*predict(out, "--shard", "1/2"))):
            assert refused.code == 1
            assert f"{out}: is being written by shard 1/2, process" in refused.stderr


def test_a_folder_of_another_checkpoint_is_replaced_once_for_all_shards(
    samssl, predict, predicted, tmp_path, hashes
):
    out = tmp_path / "out"
    assert samssl(*predict(out, "--largest-component")).code == 0
    refused = samssl(*predict(out, "--shard", "1/2"))
    assert "holds label maps of another checkpoint, or" in refused.stderr
    for text in ("1/2", "2/2"):
        done = samssl(*predict(out, "--shard", text, "--force"))
        assert done.code == 0, done.stderr
    assert hashes(out) == hashes(predicted)
