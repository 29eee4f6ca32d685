"""One check in a process of its own, whatever becomes of it.

What is examined may be broken in ways that no `except` sees: a library compiled for another
processor ends the process, a file system that does not answer blocks it. So each check runs in a
child, which writes one JSON line per finding; the parent reads those that came, and says how the
child ended when that was not well.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from samssl_cli.checkup.finding import Finding, one_line
from samssl_cli.registry import Entry, load

_CODE = "import sys; sys.path[:] = {path!r}; from samssl_cli.checkup.alone import answer; answer()"
_LAST_CHANCE_S = 5.0


def start(name: str, check: Entry, folders: Sequence[Path]) -> "subprocess.Popen[bytes] | OSError":
    """Begin a check; a process that cannot be started is an answer, too."""
    order = json.dumps({"name": name, "target": check.target, "folders": [*map(str, folders)]})
    command = [sys.executable, "-P", "-c", _CODE.format(path=sys.path), order]
    nowhere = subprocess.DEVNULL
    try:
        return subprocess.Popen(command, stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere)
    except OSError as error:
        return error


def collect(
    name: str, process: "subprocess.Popen[bytes] | OSError", *, patience_s: float
) -> list[Finding]:
    """The findings of a check, with one more when it did not come to its end.

    Args:
        name: of the check.
        process: what `start` gave.
        patience_s: after so long it is ended; a check that obeys removes what it wrote.
    """
    if isinstance(process, OSError):
        return [_failed(name, f"could not be started ({one_line(process)})")]
    output, is_late = _read(process, patience_s)
    findings, has_ended = _findings(output)
    if has_ended:
        return findings
    told = f", the last answer was {findings[-1].name!r}" if findings else ""
    how = f"gave no answer within {patience_s:.0f} s" if is_late else _ending(process.returncode)
    return [*findings, _failed(name, how + told)]


def answer() -> None:
    """Run the check that the last argument of this process names; one JSON line per finding."""
    signal.signal(signal.SIGTERM, _leave)
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no finding
    order = json.loads(sys.argv[-1])
    for finding in findings_of(order["name"], order["target"], order["folders"]):
        results.write(json.dumps(vars(finding)) + "\n")
        results.flush()
    results.write("null\n")  # the end
    results.close()


def findings_of(name: str, target: str, folders: Sequence[str]) -> Iterator[Finding]:
    """Run a check in this process and yield what it finds; its failure is a finding."""
    try:
        check = load({name: Entry(target, "", "")}, name, kind="check")
        yield from check([Path(folder) for folder in folders])
    except Exception as error:
        yield _failed(name, one_line(error))


def _read(process: "subprocess.Popen[bytes]", patience_s: float) -> tuple[bytes, bool]:
    """What a child wrote, and whether it had to be ended."""
    try:
        return process.communicate(timeout=patience_s)[0], False
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        return process.communicate(timeout=_LAST_CHANCE_S)[0], True
    except subprocess.TimeoutExpired as error:
        process.kill()  # and no waiting: a process that waits for a disk cannot even be killed
        process.returncode = -signal.SIGKILL
        assert process.stdout is not None
        process.stdout.close()
        return error.output or b"", True


def _findings(output: bytes) -> tuple[list[Finding], bool]:
    """The findings of a child, and whether it came to its end."""
    findings: list[Finding] = []
    for line in output.decode("utf-8", "replace").splitlines():
        try:
            values = json.loads(line)
        except ValueError:  # cut off in the middle
            return findings, False
        if values is None:
            return findings, True
        findings.append(Finding(**values))
    return findings, False


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _failed(name: str, how: str) -> Finding:
    cure = f"see what is wrong with what `samssl doctor` looks at under {name!r}, or report this"
    return Finding("check", "problem", f"the check itself failed: {how}", cure)


def _leave(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)
