"""What no input may do: crash, fill the memory, hang, write elsewhere, or run anything."""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from samssl_cli.errors import SamsslError

MOST_SECONDS = 10.0
MOST_MEGABYTES = 500.0

_RUNS_SOMETHING = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pickle.find_class",
    "pty.spawn",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
}
_CHANGES = {  # event: how many of its first arguments are paths
    "os.chmod": 1,
    "os.chown": 1,
    "os.link": 2,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.utime": 1,
}
_CHANGES_LINKS = ("os.remove", "os.rename", "os.rmdir")  # themselves, not what they lead to
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MAKES_CLASSES = ("dataclasses.py", "collections/__init__.py", "typing.py", "enum.py")


class Hang(BaseException):
    """Raised in the middle of what takes too long; no `except Exception` can swallow it."""


class ForbiddenError(RuntimeError):
    """Raised in place of what must not be done."""


@dataclass
class Watch:
    """What is being watched."""

    writable: Path
    """Where something may be written; nowhere else."""
    seen: list[str] = field(default_factory=list)
    """What was done all the same."""


@dataclass(frozen=True)
class Verdict:
    """What came of an input."""

    is_fine: bool
    told: str
    """The message of the refusal, or what went wrong; empty when the input was taken."""
    place: str = ""
    """Kind and line of what went wrong: findings with the same one are the same."""


_watched: list[Watch] = []
_is_installed: list[bool] = []


def judge(
    action: Callable[[], object],
    *,
    named: tuple[str, ...],
    writable: Path,
    seconds: float = MOST_SECONDS,
    megabytes: float = MOST_MEGABYTES,
) -> Verdict:
    """Do something with an input, and tell whether it kept to the rules.

    Args:
        action: reads the input.
        named: of these, a refusal has to name one: the file, or the option.
        writable: the only folder in which it may write.
        seconds: of wall time that it may take.
        megabytes: by which the resident memory may grow.
    """
    told = place = ""
    before = _reset_peak()
    with _watching(Watch(writable.resolve())) as watch:
        try:
            with _at_most(seconds):
                action()
        except SamsslError as error:
            told = str(error)
            place = "" if any(name in told for name in named) else "refusal names no file"
        except (Exception, Hang) as error:
            told = "".join(traceback.format_exception(error, limit=-12))
            place = f"{type(error).__name__} {_ours(error)}"
    grown = (_peak() - before) / 1e6
    if watch.seen:
        place, told = f"forbidden {watch.seen[0].split()[0]}", "\n".join([*watch.seen, told])
    elif grown > megabytes:
        place, told = f"memory {place}", f"memory grew by {grown:.0f} MB\n{told}"
    return Verdict(not place, told, place)


def _ours(error: BaseException) -> str:
    """The last line of the product that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "samssl_cli" in frame.filename]
    if not ours:
        return "outside"
    return f"{Path(ours[-1].filename).name}:{ours[-1].name}"


@contextmanager
def _watching(watch: Watch) -> Iterator[Watch]:
    if not _is_installed:
        sys.addaudithook(_hook)  # for good: there is no way to take a hook back
        _is_installed.append(True)
    _watched.append(watch)
    try:
        yield watch
    finally:
        _watched.pop()


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(_: int, frame: FrameType | None) -> None:
        raise Hang(f"longer than {seconds:g} s, at {frame}")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or not (
        event in _RUNS_SOMETHING or event in _CHANGES or event in ("open", "exec")
    ):
        return
    watch = _watched.pop()  # what the checks below do is not watched
    try:
        problem = _problem(event, arguments, watch)
    finally:
        _watched.append(watch)
    if problem:
        watch.seen.append(problem)
        raise ForbiddenError(problem)


def _problem(event: str, arguments: tuple[Any, ...], watch: Watch) -> str | None:
    if event in _RUNS_SOMETHING:
        return f"{event} {arguments[:2]!r}"
    if event == "exec":
        return _problem_of_code(arguments[0])
    if event == "open":
        path, _, flags = arguments
        paths = [path] if flags & _WRITING else []
    else:
        paths = [_at(path, arguments[-1]) for path in arguments[: _CHANGES[event]]]
    follow = event not in _CHANGES_LINKS
    outside = [path for path in paths if not _may_change(path, watch.writable, follow=follow)]
    return f"{event} {outside[0]!r}" if outside else None


def _problem_of_code(code: CodeType) -> str | None:
    if not code.co_filename.startswith("<") or code.co_filename.startswith("<frozen"):
        return None  # a module that is imported for the first time
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.endswith(_MAKES_CLASSES):
            return None
        frame = frame.f_back
    return f"exec {code.co_filename} {code.co_name}"


def _at(path: Any, folder: Any) -> Any:
    """A path that is relative to an open folder, as `shutil.rmtree` gives them, made absolute."""
    if isinstance(path, str | os.PathLike) and isinstance(folder, int) and folder >= 0:
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)  # noqa: PTH118, PTH115
    return path


def _may_change(path: Any, writable: Path, *, follow: bool) -> bool:
    if path is None or isinstance(path, int):  # a file that is open already
        return True
    given = Path(os.fsdecode(path))
    real = Path(os.path.realpath(given if follow else given.parent))
    real = real if follow else real / given.name
    return real == Path(os.devnull) or real.is_relative_to(writable)


def _reset_peak() -> float:
    """Let the peak of the resident memory begin anew, where the system can; its bytes now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak()
    return _from_status("VmRSS")


def _peak() -> float:
    return _from_status("VmHWM")


def _from_status(key: str) -> float:
    """A line of the process's status in bytes; 0 where there is none."""
    status = Path("/proc/self/status")
    found = re.search(rf"{key}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return float(found[1]) * 1024 if found else 0.0
