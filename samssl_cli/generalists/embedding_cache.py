"""Embeddings kept on disk, found again by the content that they were made from.

    FOLDER/3f/3fa1….npy     32 bytes of SHA-256 over key and array, then the array as .npy
    FOLDER/unfinished/      entries that are being written

An entry is written aside and renamed, so that a killed process leaves none that is half; one whose
bytes changed since is taken for absent. Several processes may use a folder at once: whoever comes
second replaces an entry by an equal one. The size is bounded by forgetting what was unused longest.
"""

import hashlib
import io
import math
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENTRY = re.compile(r"[0-9a-f]{64}\.npy")
_UNFINISHED = "unfinished"
_ABANDONED_AFTER_S = 3600.0
_DIGEST_BYTES = 32
_FILLED_AGAIN_TO = 0.9  # of the limit, so that not every new entry has to make room
_COUNTED_EVERY = 0.05  # of the limit: what one process writes before it looks at the others' again


class EmbeddingCache:
    """Arrays by the SHA-256 of what they were computed from, in a folder of limited size."""

    def __init__(self, folder: Path, *, max_gb: float) -> None:
        """Take a folder, which is made when the first entry is written.

        Args:
            folder: where the entries lie; nothing in it but entries is ever removed.
            max_gb: size (10^9 bytes) above which the entries unused longest are removed. Several
                processes at once may exceed it by 5 % each.
        """
        if not 0 < max_gb < math.inf:
            raise UsageError(f"the embeddings' size has to be above 0 GB, and finite, not {max_gb}")
        self.folder = folder
        self.num_found = 0
        self.num_computed = 0
        self.trouble = ""
        """Why nothing more is written; empty while all is well."""
        self._max_bytes = int(max_gb * 1e9)
        self._uncounted_bytes: int | None = None
        """Written since the folder was last looked at; None before the first look."""

    @property
    def is_used(self) -> bool:
        """Whether anyone found something here, or computed something to keep."""
        return self.num_found + self.num_computed > 0

    def get(self, key: str) -> "NDArray[Any] | None":
        """The array of a key (64 hexadecimal digits); None when it is absent or damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        array = _unpacked(key, content)
        if array is not None:
            self.num_found += 1
            with suppress(OSError):  # a folder that may only be read
                os.utime(path)
        return array

    def put(self, key: str, array: "NDArray[Any]") -> None:
        """Keep an array, of any shape and numeric type, under its key.

        A disk that is full or read-only does not stop the work: `trouble` says so, and from then
        on nothing is kept.
        """
        self.num_computed += 1
        if self.trouble:
            return
        try:
            self._write(key, _packed(key, array))
        except OSError as error:
            self.trouble = error.strerror or str(error)

    def report(self) -> str:
        """One line about this run."""
        line = f"embeddings: {self.num_found} from {self.folder}, {self.num_computed} computed"
        return f"{line}; not all are kept there: {self.trouble}" if self.trouble else line

    def _write(self, key: str, content: bytes) -> None:
        path, aside = self._path(key), self.folder / _UNFINISHED
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir(exist_ok=True)
        unfinished = aside / f"{key}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            unfinished.write_bytes(content)  # no fsync: the digest tells what a power cut left
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._count(len(content))

    def _count(self, num_bytes: int) -> None:
        """Look at the whole folder at first, and then whenever enough was written."""
        if self._uncounted_bytes is not None:
            self._uncounted_bytes += num_bytes
            if self._uncounted_bytes < _COUNTED_EVERY * self._max_bytes:
                return
        self._uncounted_bytes = 0
        self._make_room()
        self._remove_abandoned()

    def _make_room(self) -> None:
        """Remove what was unused longest, down to 90 % of the limit, once it is exceeded."""
        entries = sorted(_ages_and_sizes(self.folder))
        total = sum(size for _, size, _ in entries)
        if total <= self._max_bytes:
            return
        for _, size, path in entries:
            with suppress(OSError):  # another process was faster
                path.unlink()
            total -= size
            if total <= _FILLED_AGAIN_TO * self._max_bytes:
                return

    def _remove_abandoned(self) -> None:
        """Remove what killed processes left aside."""
        for path in (self.folder / _UNFINISHED).iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                    path.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"


def _ages_and_sizes(folder: Path) -> list[tuple[int, int, Path]]:
    """Time of the last use in ns, bytes and path of every entry."""
    found = []
    for path in folder.glob("??/*.npy"):
        if _ENTRY.fullmatch(path.name) and path.name.startswith(path.parent.name):
            with suppress(OSError):  # removed by another process just now
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
    return found


def _packed(key: str, array: "NDArray[Any]") -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    payload = stream.getvalue()
    return _digest(key, payload) + payload


def _unpacked(key: str, content: bytes) -> "NDArray[Any] | None":
    import numpy as np

    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if digest != _digest(key, payload):
        return None
    try:
        with io.BytesIO(payload) as stream:
            np.lib.format.read_magic(stream)
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)  # as `np.save` writes
            if stream.tell() + math.prod(shape) * dtype.itemsize != len(payload):
                return None  # a header that lies about the size of what follows
        array: NDArray[Any] = np.load(io.BytesIO(payload), allow_pickle=False)
    except Exception:  # a header can be wrong in any way at all
        return None
    return array


def _digest(key: str, payload: bytes) -> bytes:
    return hashlib.sha256(key.encode() + payload).digest()
