import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from samssl_cli.artifacts.draft import is_up_to_date, open_draft
from samssl_cli.artifacts.manifest import METADATA, group_metadata
from samssl_cli.artifacts.store import SealedStore, find_all_damage
from samssl_cli.errors import ArtifactError, BusyArtifactError, StaleArtifactError

ARRAYS = {"image": np.arange(6.0)}


def leftovers(output):
    return [path.name for path in output.parent.iterdir() if not path.name.startswith(".")]


def test_the_path_appears_when_the_artifact_is_complete(tmp_path, plan):
    output = tmp_path / "new/x.zarr"
    with open_draft(output, plan) as draft:
        draft.root.write("a", ARRAYS, {})
        assert not output.exists()
        draft.seal({})
        assert output.exists()
    assert leftovers(output) == ["x.zarr"]


def test_up_to_date(sealed, plan):
    before = sealed.stat().st_mtime_ns
    assert is_up_to_date(sealed, plan)
    with open_draft(sealed, plan) as draft:
        assert draft is None
    with open_draft(sealed, plan, force=True) as draft:  # force never redoes what is current
        assert draft is None
    assert sealed.stat().st_mtime_ns == before


def test_reading_does_not_touch(sealed):
    before = {path: path.stat().st_mtime_ns for path in (sealed, *sealed.rglob("*"))}
    SealedStore(sealed).member("a")
    find_all_damage(sealed)
    assert {path: path.stat().st_mtime_ns for path in (sealed, *sealed.rglob("*"))} == before


def test_the_modification_time_is_that_of_the_seal(tmp_path, plan):
    output = tmp_path / "x.zarr"
    with open_draft(output, plan) as draft:
        draft.root.write("a", ARRAYS, {})
        os.utime(draft.path, (0, 0))
        (tmp_path / "input").write_text("made while the stage ran")
        draft.seal({})
    assert output.stat().st_mtime_ns >= (tmp_path / "input").stat().st_mtime_ns


def test_a_killed_run_is_resumed_and_done_members_stay(tmp_path, plan):
    output = tmp_path / "x.zarr"
    with open_draft(output, plan) as draft:
        draft.root.write("a", ARRAYS, {})
    with open_draft(output, plan) as draft:
        assert draft.is_resumed
        assert (draft.root.has("a"), draft.root.has("b")) == (True, False)
        (draft.path / "a/image/c/0").write_bytes(b"torn")
        assert not draft.root.has("a")


def test_another_plan_is_stale_and_the_message_names_what_changed(sealed, plan):
    options = {"prompt": {"num_sets": 5, "strategies": ("mask", "box")}}
    other = replace(plan, options=options, seed=7, inputs={"cases": "d" * 64})
    with pytest.raises(StaleArtifactError) as caught:
        is_up_to_date(sealed, other)
    assert str(caught.value).splitlines() == [
        f"{sealed} was made otherwise than asked for now (found -> wanted):",
        "  - inputs.cases: cccccccccccc -> dddddddddddd",
        "  - options.prompt.num_sets: 3 -> 5",
        "  - seed: 0 -> 7",
        "rerun with --force to replace it, or name another output",
    ]


def test_force_replaces_an_artifact_of_another_plan(sealed, plan, write):
    write(sealed, {"c": ARRAYS}, plan=replace(plan, seed=1), force=True)
    assert SealedStore(sealed).names == ("c",)
    assert leftovers(sealed) == ["x.zarr"]


@pytest.mark.parametrize("force", [False, True])
def test_an_artifact_of_another_kind_is_never_replaced(sealed, plan, force):
    other = replace(plan, kind="checkpoint", stage="train-ssl")
    with (
        pytest.raises(ArtifactError, match="holds prompts from prompt, where checkpoint would go"),
        open_draft(sealed, other, force=force),
    ):
        pass
    assert SealedStore(sealed).names == ("a", "b")


@pytest.mark.parametrize("force", [False, True])
def test_an_unfinished_artifact_of_another_kind_is_never_replaced(tmp_path, plan, force):
    output = tmp_path / "x.zarr"
    with open_draft(output, replace(plan, kind="checkpoint", stage="retrain")) as draft:
        draft.root.write("a", ARRAYS, {})
    with (
        pytest.raises(ArtifactError, match=r"part: holds a checkpoint from retrain.*another out"),
        open_draft(output, plan, force=force),
    ):
        pass
    assert draft.root.has("a")


@pytest.mark.parametrize("force", [False, True])
def test_an_input_is_never_replaced(sealed, plan, force):
    own = replace(plan, inputs={"init": SealedStore(sealed).fingerprint})
    with pytest.raises(ArtifactError, match="is an input of this run; name another output"):
        is_up_to_date(sealed, own, force=force)


def test_a_replaced_artifact_stays_until_the_new_one_is_whole(sealed, plan):
    with open_draft(sealed, replace(plan, seed=1), force=True) as draft:
        draft.root.write("c", ARRAYS, {})
    assert SealedStore(sealed).names == ("a", "b")


def test_an_unfinished_run_of_another_plan_is_refused_without_force(tmp_path, plan):
    output, other = tmp_path / "x.zarr", replace(plan, seed=1)
    with open_draft(output, plan) as draft:
        draft.root.write("a", ARRAYS, {})
    with (
        pytest.raises(StaleArtifactError, match=r"x\.zarr\.part was made.*\n  - seed: 0 -> 1"),
        open_draft(output, other),
    ):
        pass
    with open_draft(output, other, force=True) as draft:
        assert not draft.is_resumed
        assert not draft.root.has("a")


def test_training_states_of_another_plan_are_never_continued(tmp_path, plan):
    output = tmp_path / "x.zarr"
    with open_draft(output, plan) as draft:
        (draft.scratch() / "step-1").mkdir(parents=True)
    with pytest.raises(StaleArtifactError), open_draft(output, replace(plan, seed=1)):
        pass
    with open_draft(output, replace(plan, seed=1), force=True) as draft:
        assert not draft.scratch().exists()


def test_training_states_without_a_plan_are_dropped(tmp_path, plan):
    (tmp_path / "x.zarr.progress/step-1").mkdir(parents=True)
    with open_draft(tmp_path / "x.zarr", plan) as draft:
        assert not draft.scratch().exists()


@pytest.mark.parametrize("name", ["x.zarr", "x.zarr.part"])
@pytest.mark.parametrize("force", [False, True])
def test_foreign_files_and_folders_are_never_overwritten(tmp_path, plan, name, force):
    foreign = tmp_path / name
    for make in (foreign.mkdir, lambda: foreign.write_text("thesis")):
        make()
        if foreign.is_dir():
            (foreign / "thesis.txt").write_text("years of work")
        with (
            pytest.raises(ArtifactError, match="is no artifact of samssl; name another output"),
            open_draft(tmp_path / "x.zarr", plan, force=force),
        ):
            pass
        assert foreign.exists()
        if foreign.is_dir():
            shutil.rmtree(foreign)


def test_a_foreign_zarr_group_is_never_overwritten(tmp_path, plan):
    (tmp_path / METADATA).write_bytes(group_metadata({"ome": {}}))
    with pytest.raises(ArtifactError, match="name another output"):
        is_up_to_date(tmp_path, plan, force=True)


def test_a_link_to_nothing_is_not_overwritten(tmp_path, plan):
    (tmp_path / "x.zarr").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="name another output"):
        is_up_to_date(tmp_path / "x.zarr", plan)


def test_an_artifact_behind_a_link_is_used_and_can_be_replaced(sealed, tmp_path, plan, write):
    link = tmp_path / "links/y.zarr"
    link.parent.mkdir()
    link.symlink_to(sealed)
    assert is_up_to_date(link, plan)
    write(link, {"c": ARRAYS}, plan=replace(plan, seed=1), force=True)
    assert SealedStore(link).names == ("c",)
    assert SealedStore(sealed).names == ("a", "b")


@pytest.mark.parametrize("copy", ["cp -r", "mv"])
def test_an_artifact_may_be_copied_and_moved(sealed, tmp_path, plan, copy):
    target = tmp_path / "other disk/y.zarr"
    target.parent.mkdir()
    subprocess.run([*copy.split(), sealed, target], check=True)
    assert is_up_to_date(target, plan)
    assert find_all_damage(target) == []
    inside = b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())
    assert str(tmp_path).encode() not in inside


def test_killed_between_the_manifest_and_the_new_name(tmp_path, plan):
    output = tmp_path / "x.zarr"
    with open_draft(output, plan) as draft:
        draft.root.write("a", ARRAYS, {})
        (draft.scratch() / "step-1").mkdir(parents=True)
        draft.root.close({})
    with open_draft(output, plan) as draft:
        assert draft is None
    assert SealedStore(output).names == ("a",)
    assert leftovers(output) == ["x.zarr"]


def test_killed_while_a_damaged_artifact_was_reopened(sealed, plan, write, hashes):
    before = hashes(sealed)
    (sealed / "a/image/c/0/0/0").unlink()
    sealed.rename(sealed.with_name("x.zarr.part"))  # the first half of Draft.reopen
    with open_draft(sealed, plan) as draft:
        assert (draft.root.has("a"), draft.root.has("b")) == (False, True)
    image = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    write(sealed, {"a": {"image": image, "mask": image > 0}})
    assert hashes(sealed) == before
    assert leftovers(sealed) == ["x.zarr"]


def test_killed_before_the_plan_was_written(tmp_path, plan, write):
    (tmp_path / "x.zarr.part").mkdir()
    write(tmp_path / "x.zarr", {"a": ARRAYS})
    assert leftovers(tmp_path / "x.zarr") == ["x.zarr"]


HOLDER = """
    import sys, time
    from pathlib import Path
    from samssl_cli.artifacts.draft import open_draft
    from samssl_cli.artifacts.manifest import Plan
    with open_draft(Path(sys.argv[1]), Plan("prompts", "prompt", {}, 0, {})):
        print("held", flush=True)
        time.sleep(60)
"""


def test_a_second_writer_is_refused_at_once_and_a_killed_one_holds_nothing(tmp_path):
    from samssl_cli.artifacts.manifest import Plan

    output, plan = tmp_path / "x.zarr", Plan("prompts", "prompt", {}, 0, {})
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(BusyArtifactError, match=f"is being written by process {holder.pid} on"),
            open_draft(output, plan),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
    with open_draft(output, plan) as draft:
        assert draft is not None
