import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import BusyArtifactError, DataError, Interrupted, StaleArtifactError
from samssl_cli.progress import Silent
from samssl_cli.stages.run import run_sharded, run_stage

PLAN = Plan("prompts", "prompt", {}, 0, {})


def run(output, work, **kwargs):
    return run_stage(PLAN, output, work=work, force=False, progress=Silent(), **kwargs)


def write_all(work, names=("a", "b", "c"), after=lambda name: None):
    for name in work.each_pending(work.draft.root, names, "working"):
        work.draft.root.write(name, {"x": np.zeros(2)}, {})
        after(name)
    work.draft.seal({})


def test_a_failed_check_writes_nothing(tmp_path):
    def check(stop):
        raise DataError("no")

    with pytest.raises(DataError):
        run(tmp_path / "new/x.zarr", write_all, check=check)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_stage_goes_on_at_the_first_pending_case(tmp_path):
    done = []

    def stop_after_b(name):
        done.append(name)
        if name == "b":
            os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(Interrupted):
        run(tmp_path / "x.zarr", lambda work: write_all(work, after=stop_after_b))
    assert not (tmp_path / "x.zarr").exists()
    run(tmp_path / "x.zarr", lambda work: write_all(work, after=done.append))
    assert done == ["a", "b", "c"]


def test_a_stage_that_was_asked_to_stop_never_ends_as_if_it_were_not(tmp_path):
    def stop_after_last(name):
        if name == "c":
            os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(Interrupted) as caught:
        run(tmp_path / "x.zarr", lambda work: write_all(work, after=stop_after_last))
    assert caught.value.exit_code == 85
    assert (tmp_path / "x.zarr").exists()


def test_a_busy_artifact_is_refused_before_the_check(tmp_path):
    def first(work):
        with pytest.raises(BusyArtifactError, match=f"by process {os.getpid()} on"):
            run(tmp_path / "x.zarr", write_all, check=pytest.fail)
        write_all(work)

    run(tmp_path / "x.zarr", first)


NAMES = tuple("abcdefg")


class Heard(Silent):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def write_shard(work, after=lambda name: None):
    for name in work.each_pending(work.draft.root, NAMES, "working"):
        work.draft.root.write(name, {"x": np.full(2, ord(name))}, {})
        after(name)
    work.finish(NAMES, work.draft.root.has, lambda work: work.draft.seal({"cases": list(NAMES)}))


def run_shard(output, shard, *, plan=PLAN, force=False, progress=None, **kwargs):
    progress = progress or Silent()
    shard = shard and Shard(*shard)

    def work(work):
        write_shard(work, **kwargs)

    return run_sharded(plan, output, work=work, force=force, progress=progress, shard=shard)


@pytest.fixture
def whole(tmp_path, hashes):
    """The files of the artifact that no shard made."""
    return hashes(run_shard(tmp_path / "whole/x.zarr", None))


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 1, 2]], ids=str)
def test_the_last_shard_to_end_seals(tmp_path, hashes, whole, order):
    output, progress = tmp_path / "shards/x.zarr", Heard()
    *first, last = [(number, 3) for number in order]
    for shard in first:
        assert run_shard(output, shard, progress=progress) is None
    assert not output.exists()
    assert "is done; 2 cases of other shards are not, from" in progress.notes[-1]
    assert run_shard(output, last) == output
    assert hashes(output) == whole
    assert files(output.parent) == ["x.zarr"]


def test_a_shard_that_runs_again_after_the_seal_is_up_to_date(tmp_path):
    output, progress = tmp_path / "x.zarr", Heard()
    for number in (1, 2):
        run_shard(output, (number, 2))
    before = output.stat().st_mtime_ns
    for force in (False, True):
        assert run_shard(output, (1, 2), progress=progress, force=force, after=pytest.fail)
    assert progress.notes == [f"{output} is up to date"] * 2
    assert output.stat().st_mtime_ns == before


def test_a_stopped_shard_is_run_again_alone(tmp_path, hashes, whole):
    output, done = tmp_path / "x.zarr", []

    def stop(name):
        os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(Interrupted):
        run_shard(output, (1, 2), after=stop)
    assert run_shard(output, (2, 2)) is None  # "a" alone is there of shard 1
    assert run_shard(output, (1, 2), after=done.append) == output
    assert done == ["c", "e", "g"]
    assert hashes(output) == whole


def test_another_number_of_shards_keeps_what_is_done(tmp_path, hashes, whole):
    output, done = tmp_path / "x.zarr", []
    run_shard(output, (2, 3))  # b, e
    run_shard(output, (1, 2), after=done.append)
    assert done == ["a", "c", "g"]
    assert run_shard(output, None, after=done.append) == output  # and so does a run without any
    assert done == ["a", "c", "g", "d", "f"]
    assert hashes(output) == whole
    assert files(output.parent) == [".x.zarr.lock", "whole", "x.zarr"]


def test_more_shards_than_cases(tmp_path, hashes, whole):
    output = tmp_path / "x.zarr"
    found = [run_shard(output, (number, 9)) for number in range(9, 0, -1)]
    assert found == [None] * 8 + [output]
    assert hashes(output) == whole


def test_a_damaged_artifact_is_mended_by_the_shard_of_the_case(tmp_path, hashes, whole):
    output, done = tmp_path / "x.zarr", []
    run_shard(output, None)
    (output / "d/x/c/0").write_bytes(b"torn")
    assert run_shard(output, (1, 2), force=True, after=done.append) is None
    assert run_shard(output, (2, 2), force=True, after=done.append) == output
    assert done == ["d"]
    assert hashes(output) == whole


def test_a_case_of_another_shard_that_is_torn_is_not_sealed(tmp_path):
    output, done = tmp_path / "x.zarr", []
    run_shard(output, (1, 2))
    (tmp_path / "x.zarr.part/a/x/c/0").write_bytes(b"torn")
    assert run_shard(output, (2, 2)) is None
    assert run_shard(output, (1, 2), after=done.append) == output
    assert done == ["a"]


def test_shards_of_another_plan_replace_only_what_nobody_writes(tmp_path, hashes, whole):
    output, other = tmp_path / "x.zarr", Plan("prompts", "prompt", {"a": 1}, 0, {})
    run_shard(output, (1, 2), plan=other)
    with pytest.raises(StaleArtifactError, match=r"options\.a: 1 -> null"):
        run_shard(output, (1, 2))

    def while_it_runs(name):
        with pytest.raises(BusyArtifactError, match="otherwise than asked for now, by shard 1/2"):
            run_shard(output, (2, 2), force=True)

    assert run_shard(output, (1, 2), plan=other, after=while_it_runs) is None
    assert run_shard(output, (2, 2), force=True) is None
    assert run_shard(output, (1, 2), force=True) == output
    assert hashes(output) == whole


def test_who_fails_to_seal_leaves_it_to_the_next(tmp_path, hashes, whole, monkeypatch):
    from samssl_cli.artifacts.draft import Draft

    def full_disk(*_):
        raise DataError("no")

    output, seal = tmp_path / "x.zarr", Draft.seal
    run_shard(output, (2, 2))
    monkeypatch.setattr(Draft, "seal", full_disk)
    with pytest.raises(DataError):
        run_shard(output, (1, 2))
    monkeypatch.setattr(Draft, "seal", seal)
    assert run_shard(output, (2, 2)) == output
    assert hashes(output) == whole


SHARD = """
    import sys, time
    from pathlib import Path
    import numpy as np
    import zarr
    from samssl_cli.artifacts.manifest import Plan
    from samssl_cli.artifacts.shard import Shard
    from samssl_cli.progress import Silent
    from samssl_cli.stages.run import run_sharded

    shard, folder = Shard(int(sys.argv[1]), 4), Path(sys.argv[2])

    def write(work):
        names = tuple("abcdefg")
        for name in work.each_pending(work.draft.root, names, "working"):
            work.draft.root.write(name, {"x": np.full(2, ord(name))}, {})
        seal = lambda work: work.draft.seal({"cases": list(names)})
        work.finish(names, work.draft.root.has, seal)

    for number in map(int, sys.argv[3:]):
        (folder / f"{number}.ready.{shard.number}").touch()
        while len(list(folder.glob(f"{number}.ready.*"))) < 4:
            time.sleep(0.001)
        run_sharded(
            Plan("prompts", "prompt", {}, 0, {}),
            folder / f"{number}.zarr",
            work=write,
            force=False,
            progress=Silent(),
            shard=shard,
        )
"""


def start_shard(number, folder, *artifacts):
    command = [sys.executable, "-c", textwrap.dedent(SHARD), str(number), folder]
    return subprocess.Popen([*command, *map(str, artifacts)], stderr=subprocess.DEVNULL)


def test_shards_at_the_same_time(tmp_path, hashes, whole):
    """Four times: each ends without an error, one of them seals, and none writes after that."""
    processes = [start_shard(number, tmp_path, *range(4)) for number in (1, 2, 3, 4)]
    assert [process.wait() for process in processes] == [0] * 4
    for number in range(4):
        assert hashes(tmp_path / f"{number}.zarr") == whole
    assert [name for name in files(tmp_path) if "ready" not in name] == [
        *(f"{number}.zarr" for number in range(4)),
        "whole",
    ]


@pytest.mark.slow
def test_shards_that_are_killed_at_random_moments_are_run_again(tmp_path, hashes, whole):
    """Each artifact: two of four shards are killed, and run again, until nobody is."""
    rng, num_killed = random.Random(7), 0
    for artifact in range(10):
        at_work = {number: start_shard(number, tmp_path, artifact) for number in (1, 2, 3, 4)}
        while len(list(tmp_path.glob(f"{artifact}.ready.*"))) < 4:
            time.sleep(0.001)
        for number in rng.sample((1, 2, 3, 4), 2):
            time.sleep(rng.uniform(0, 0.05))
            at_work[number].kill()
        while failed := [number for number, one in at_work.items() if one.wait() != 0]:
            num_killed += len(failed)
            at_work = {number: start_shard(number, tmp_path, artifact) for number in failed}
        assert hashes(tmp_path / f"{artifact}.zarr") == whole
        assert [name for name in files(tmp_path) if name.startswith(f"{artifact}.zarr.")] == []
    assert num_killed >= 10
