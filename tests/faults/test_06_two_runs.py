"""Row 6. Two runs of one artifact: the second is refused at once, and a dead one holds nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest

HOLDER = """
import sys, time
from pathlib import Path
from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.manifest import Plan
with open_draft(Path(sys.argv[1]), Plan("prompts", "prompt", {}, 0, {})):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that writes an artifact."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "prompts.zarr")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_row_06_the_second_is_refused_and_a_killed_one_frees_the_lock(
    samssl, loop, command, tmp_path, holder, hashes
):
    output = tmp_path / "prompts.zarr"
    before = time.time() - 65 * 60
    os.utime(tmp_path / ".prompts.zarr.owner", (before, before))
    second = samssl(*command("prompt", loop.out, output))
    assert (second.code, second.stdout) == (1, "")
    assert second.duration_s < 2
    who = f"is being written by process {holder.pid} on {os.uname().nodename}, for 1 h 5 min"
    assert who in second.stderr
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    third = samssl(*command("prompt", loop.out, output))
    assert third.code == 0, third.stderr
    assert hashes(output) == hashes(loop.path("prompts"))


def test_row_06_another_artifact_beside_it_is_not_held_up(samssl, loop, command, tmp_path, holder):
    assert samssl(*command("sam-label", loop.out, tmp_path / "pseudo.zarr")).code == 0
