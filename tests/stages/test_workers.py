"""Worker processes: they die alone without hanging us, and never outlive us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samssl_cli.errors import Interrupted
from samssl_cli.stages.signals import StopRequest
from samssl_cli.stages.workers import Workers

PROGRAM = """
import os, signal, sys, time
from samssl_cli.stages.signals import signals_as_stop_request
from samssl_cli.stages.workers import Workers

def fail(name):
    time.sleep(0.1)
    raise ValueError(name)

def die(name):
    os.kill(os.getpid(), signal.SIGKILL)

def work(name):
    time.sleep(0.3)
    return os.getpid()

if __name__ == "__main__":
    with signals_as_stop_request() as stop:
        task = {"die": die, "fail": fail, "work": work}[sys.argv[1]]
        try:
            with Workers(2) as workers:
                for name, pid in workers.each(task, "abcdefgh", stop=stop):
                    print(pid, flush=True)
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)

    def start(task):
        command = [sys.executable, str(tmp_path / "program.py"), task]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    return start


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_one_worker_works_in_this_process_and_stops_between_two():
    stop = StopRequest()
    results = Workers(1).each(str.upper, ["a", "b", "c"], stop=stop)
    assert next(results) == ("a", "A")
    stop.signum = signal.SIGUSR1
    with pytest.raises(Interrupted):
        next(results)


def test_nothing_to_do():
    assert list(Workers(4).each(str.upper, [], stop=StopRequest())) == []


def test_row_17_a_dead_worker_is_told_and_nobody_waits_for_it(start):
    stdout, stderr = start("die").communicate(timeout=60)
    assert "SamsslError one of 2 worker processes died" in stdout
    assert "fewer --workers" in stdout
    assert stderr == ""


def test_row_17_what_a_worker_raises_ends_the_run(start):
    stdout, stderr = start("fail").communicate(timeout=60)
    assert stdout.startswith("ValueError ")
    assert stderr == ""


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_to_the_whole_group_ends_as_a_stop(start, number):
    process = start("work")
    process.stdout.readline()
    os.killpg(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert f"Interrupted stopped by {number.name}" in stdout
    assert stderr == ""


def test_row_17_workers_end_with_a_killed_parent(start):
    process = start("work")
    workers = {int(process.stdout.readline()) for _ in range(3)}
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while any(map(is_running, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
    process.stdout.close()
    process.stderr.close()
