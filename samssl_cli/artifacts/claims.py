"""Who may write an artifact: one process all of it, or several at the same time their shards.

    .NAME.lock               held by the process that writes all of NAME
    .NAME.shard-K-of-N.lock  held by the process that does shard K
    .NAME.shards.lock        the turn: held by a shard while it begins, and while it ends or seals

Beside a lock that is held, a file .owner says by whom. The kernel frees the locks of a process that
was killed. Only who has the turn takes the lock of a shard, or looks whether others hold theirs: of
two shards that end together one is the last, and none can begin while the last one seals.
"""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import BusyArtifactError
from samssl_cli.volumes.small_file import read_small_file
from samssl_cli.volumes.whole_file import writing

if TYPE_CHECKING:
    from filelock import BaseFileLock

_BETWEEN_LOOKS_S = 0.05
_MAX_NAME_BYTES = 1000

Wait = Callable[[str], None]
"""Called again and again while another shard has the turn, with its name; may raise."""


def silently(holder: str) -> None:
    """Wait for a turn, and do nothing meanwhile."""


class Claim:
    """The right to write all of an artifact."""

    shard: Shard | None = None
    """What of it; None for all."""

    def __init__(self, output: Path, place: Path | None = None) -> None:
        """Claim nothing yet; the locks are named after `place`, by default after the output."""
        self._output, self._place = output, place or output
        self._hold = _Hold(_beside(self._place, ""))
        self._turn = _Hold(_beside(self._place, ".shards"))

    @property
    def is_held(self) -> bool:
        """Whether it was taken and not released."""
        return self._hold.is_ours

    @contextmanager
    def turn(self, wait: Wait = silently) -> Iterator[None]:
        """Nobody else may be there, so there is no turn to wait for."""
        yield

    def take(self) -> None:
        """Hold it until `release`.

        Raises:
            BusyArtifactError: when another process writes it, or a shard of it.
        """
        if not self._is_ours(self._hold, _name()):
            raise self._busy(self._hold.holder)
        if self._turn.exists() and (shard := self._first_at_work()):
            self.release()
            raise self._busy(shard)

    def _first_at_work(self) -> str | None:
        """Who writes a shard, or begins or ends one; None when nobody does."""
        if not self._is_ours(self._turn, _name()):
            return self._turn.holder
        at_work = self._at_work()
        self._turn.release()
        return next(iter(at_work.values()), None)

    def others(self) -> list[str]:
        """Who else writes this artifact; to be asked by who has the turn."""
        return []

    def release(self) -> None:
        """Let others write; again is harmless."""
        self._hold.release()

    def forget(self) -> None:
        """Remove the files of shards, which nobody holds but who calls this."""
        if not self._turn.exists() or self._turn.is_held():
            return
        for path in _shard_locks(self._place).values():
            _Hold(path).remove()
        self._turn.remove()

    def remove(self) -> None:
        """Remove every file of the claims; to be asked by who holds it, and has the turn."""
        self.forget()
        self._hold.remove()

    def _at_work(self) -> dict[Shard, str]:
        """The shards that are held now, and by whom."""
        locks = ((shard, _Hold(path)) for shard, path in sorted(_shard_locks(self._place).items()))
        return {shard: lock.holder for shard, lock in locks if lock.is_held()}

    def _is_ours(self, hold: "_Hold", who: str) -> bool:
        with writing(self._output):
            return hold.take(who)

    def _busy(self, who: str) -> BusyArtifactError:
        return BusyArtifactError(f"{self._output}: is being written by {who}; wait for it to end")


class ShardClaim(Claim):
    """The right to write the cases of one shard, beside those who write the others."""

    def __init__(self, output: Path, shard: Shard, place: Path | None = None) -> None:
        """Claim nothing yet."""
        super().__init__(output, place)
        self.shard: Shard = shard
        self._whole = self._hold
        self._hold = _Hold(_beside(self._place, f".shard-{shard.number}-of-{shard.count}"))

    @contextmanager
    def turn(self, wait: Wait = silently) -> Iterator[None]:
        """Keep the other shards from beginning and ending meanwhile."""
        while not self._is_ours(self._turn, self._name):
            wait(self._turn.holder)
            time.sleep(_BETWEEN_LOOKS_S)
        try:
            yield
        finally:
            self._turn.release()

    def take(self) -> None:
        """Hold it until `release`; to be asked by who has the turn.

        Raises:
            BusyArtifactError: when another process does this shard, or writes all of the artifact,
                or a shard of another number of shards.
        """
        if self._whole.exists() and self._whole.is_held():
            raise self._busy(self._whole.holder)
        at_work = self._at_work()
        if self.shard in at_work:
            raise self._busy(at_work[self.shard])
        for other, who in at_work.items():
            if other.count != self.shard.count:
                raise self._busy(
                    f"{who}, one of {other.count} shards and not of {self.shard.count}"
                )
        if not self._is_ours(self._hold, self._name):
            raise self._busy(self._hold.holder)

    def others(self) -> list[str]:
        """The shards that are at work beside this one."""
        return [who for shard, who in self._at_work().items() if shard != self.shard]

    @property
    def _name(self) -> str:
        return f"shard {self.shard}, {_name()}"


@contextmanager
def claimed(output: Path, shard: Shard | None, *, place: Path | None = None) -> Iterator[Claim]:
    """What a process may claim of an artifact; it holds nothing when this ends."""
    claim = Claim(output, place) if shard is None else ShardClaim(output, shard, place)
    try:
        yield claim
    finally:
        claim.release()


def refuse_if_claimed(output: Path, shard: Shard | None, wait: Wait) -> None:
    """Raise a `BusyArtifactError` when others write what is wanted; leave no file."""
    beginning = f".{output.name}."
    if not any(path.name.startswith(beginning) for path in _files(output.parent)):
        return
    with claimed(output, shard) as claim, claim.turn(wait):
        claim.take()
        claim.release()


class _Hold:
    """A lock file, and beside it the name of its holder."""

    def __init__(self, path: Path) -> None:
        self._path, self._owner = path, path.with_suffix(".owner")
        self._made: BaseFileLock | None = None

    @property
    def holder(self) -> str:
        """Who holds it, and for how long already, for a message."""
        try:
            duration_s = max(0.0, time.time() - self._owner.stat().st_mtime)
            name = read_small_file(self._owner, max_bytes=_MAX_NAME_BYTES).decode()
        except (OSError, ValueError):  # not written yet, no longer there, or not by us
            name = ""
        if not name:
            return "another process"
        hours, minutes = divmod(int(duration_s) // 60, 60)
        return f"{name}, for {hours} h {minutes} min" if hours else f"{name}, for {minutes} min"

    @property
    def is_ours(self) -> bool:
        return self._made is not None and self._made.is_locked

    def exists(self) -> bool:
        return self._path.exists()

    def take(self, who: str) -> bool:
        """Whether it is ours now; without waiting."""
        if not self._try():
            return False
        with writing(self._owner):
            self._owner.unlink(missing_ok=True)  # of a killed process; never follow a link
            with self._owner.open("x", encoding="utf-8") as stream:
                stream.write(who)
        return True

    def is_held(self) -> bool:
        """Whether another process, or another claim of this one, holds it now."""
        if not self._try():
            return True
        self._lock.release()
        return False

    def release(self) -> None:
        if self.is_ours:
            self._owner.unlink(missing_ok=True)
            self._lock.release()

    def remove(self) -> None:
        self._owner.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    @property
    def _lock(self) -> "BaseFileLock":
        from filelock import FileLock  # a tenth of a second, and most commands lock nothing

        if self._made is None:
            self._made = FileLock(self._path)
        return self._made

    def _try(self) -> bool:
        from filelock import Timeout

        with writing(self._path):
            if self._path.is_symlink():  # older versions of filelock follow it, and empty the file
                raise OSError("is a link; remove it")
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                return False
        return True


def _name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _beside(output: Path, what: str) -> Path:
    return output.with_name(f".{output.name}{what}.lock")


def _shard_locks(output: Path) -> dict[Shard, Path]:
    name = re.compile(re.escape(f".{output.name}") + r"\.shard-(\d+)-of-(\d+)\.lock")
    found = ((name.fullmatch(path.name), path) for path in _files(output.parent))
    return {Shard(int(match[1]), int(match[2])): path for match, path in found if match}


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
