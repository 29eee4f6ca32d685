"""Import everything once, then run each `samssl` command in a forked child of its own.

A command takes seconds to import torch and MONAI, and a fraction of a second to work on a phantom:
a signal sent at a random moment of such a process would nearly always hit an import. A forked child
begins where the work begins. It leads a process group, which receives the signal, workers and all.

Reads a list of JSON orders per line from stdin, whose commands run at the same time, and answers
with a list of JSON answers per line on stdout.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def serve() -> None:
    """Answer orders until stdin ends."""
    _import_all()
    for line in sys.stdin:
        orders = json.loads(line)
        started = time.monotonic()
        children = [_start(order) for order in orders]
        answers = []
        for child, order in zip(children, orders, strict=True):
            code = _follow(child, order, started)
            answers.append({"code": code, "duration_s": time.monotonic() - started})
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


def _start(order: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        _become_command(order)
    return child


def _import_all() -> None:
    import filelock
    import nibabel
    import safetensors.numpy
    import scipy.ndimage
    import scipy.spatial
    import torch
    import torch._dynamo  # what the first step of an optimiser imports
    import zarr

    from samssl_cli.cli import app
    from samssl_cli.inference import sliding_window
    from samssl_cli.metrics import postprocess, score
    from samssl_cli.prompts import build, serialize
    from samssl_cli.stages import fitting, specialist

    torch.set_num_threads(1)
    libraries = (filelock, nibabel, safetensors, scipy, zarr)
    ours = (app, sliding_window, postprocess, score, build, serialize, fitting, specialist)
    used = (*libraries, *ours)
    assert all(used)


def _become_command(order: dict[str, Any]) -> None:
    """Turn the child into `samssl ARGUMENTS`; never returns."""
    code: object = 1
    try:
        os.setsid()
        for number, name in ((1, "stdout"), (2, "stderr")):
            target = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(target, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _change_environment(order["env"])
        if order["cwd"] is not None:
            os.chdir(order["cwd"])
        sys.argv = ["samssl", *order["arguments"]]
        from samssl_cli.__main__ import main

        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _change_environment(changes: dict[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _follow(child: int, order: dict[str, Any], started: float) -> int:
    """Wait for the child, and send the signal when its time has come."""
    is_sent = order["after_s"] is None and order["after_path"] is None
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if not is_sent and _is_time(order, started):
            _signal_group(child, order["signal"])
            is_sent = True
        time.sleep(0.001)


def _is_time(order: dict[str, Any], started: float) -> bool:
    if order["after_path"] is not None and Path(order["after_path"]).exists():
        return True
    return order["after_s"] is not None and time.monotonic() - started >= order["after_s"]


def _signal_group(child: int, number: int) -> None:
    try:
        os.killpg(child, number)
    except ProcessLookupError:  # it has not come to lead its group yet
        os.kill(child, number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the test runner's
    serve()
