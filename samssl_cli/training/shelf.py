"""Decoded volumes: in memory while there is room for them, else in a temporary file.

The file is mapped, so that cutting a patch reads the pages that it lies on and no more. The system
keeps them as long as it has memory to spare, and takes them back when something else needs it.
"""

import mmap
import os
import tempfile
import weakref
from collections.abc import Callable
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samssl_cli.errors import UsageError

_Array = TypeVar("_Array", bound=NDArray[Any])


class Shelf:
    """Where the volumes of one training lie. What is read of them is the same in either place."""

    def __init__(
        self, memory_gb: float, note: Callable[[str], None] = lambda message: None
    ) -> None:
        """Nothing lies there yet.

        Args:
            memory_gb: what the arrays in memory may take together, in GB (1e9 bytes).
            note: is told once, when the file is begun, or when it cannot grow.

        Raises:
            UsageError: when that is no size.
        """
        if not memory_gb >= 0:
            raise UsageError(f"--volumes-gb {memory_gb:g}: a size of 0 or more is needed")
        self._left, self._given_gb, self._note = memory_gb * 1e9, memory_gb, note
        self._file: IO[bytes] | None = None
        self._is_full = False
        self._maps: list[mmap.mmap] = []

    def put(self, array: _Array) -> _Array:
        """Give the array back, or a read-only one of the same values that lies in the file."""
        if array.nbytes <= self._left or not array.nbytes or self._is_full:
            self._left -= array.nbytes
            return array
        try:
            return self._in_file(array)
        except OSError as error:  # it is full, or files cannot be mapped there
            self._is_full = True
            self._note(
                f"{tempfile.gettempdir()} takes no more volumes ({error.strerror or error}); the "
                "others stay in memory: name a larger folder in TMPDIR if that is too much"
            )
            return array

    def let_go(self) -> None:
        """Leave the pages that were read to the system, which may keep them for the next time."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on every system
            for pages in self._maps:
                pages.madvise(mmap.MADV_DONTNEED)

    def _in_file(self, array: _Array) -> _Array:
        if self._file is None:
            self._file = self._new_file()
        start = -(-self._file.seek(0, os.SEEK_END) // mmap.ALLOCATIONGRANULARITY)
        start *= mmap.ALLOCATIONGRANULARITY
        self._file.seek(start)
        left = np.ascontiguousarray(array).data.cast("B")
        while left:  # written, not mapped: a full disk is an error here, and there ends the process
            left = left[self._file.write(left) :]
        pages = mmap.mmap(self._file.fileno(), array.nbytes, access=mmap.ACCESS_READ, offset=start)
        self._maps.append(pages)
        mapped: _Array = np.frombuffer(pages, array.dtype).reshape(array.shape)  # type: ignore[assignment]  # of the same type
        return mapped

    def _new_file(self) -> IO[bytes]:
        """A file without a name: it is gone with the process, however that ends."""
        file = tempfile.TemporaryFile(prefix="samssl-volumes-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, file.close)
        self._note(
            f"volumes beyond {self._given_gb:g} GB lie in a temporary file in "
            f"{tempfile.gettempdir()} (--volumes-gb, TMPDIR)"
        )
        return file
