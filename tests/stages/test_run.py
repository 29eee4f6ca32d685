import os
import signal

import numpy as np
import pytest

from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import BusyArtifactError, DataError, Interrupted
from samssl_cli.progress import Silent
from samssl_cli.stages.run import run_stage

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
