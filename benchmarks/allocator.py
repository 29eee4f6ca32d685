"""Memory as a process gets it that changed nothing, for the side of a pair that is not ours.

samssl tells glibc to keep what is freed; that holds for a whole process, and so for both sides.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_HIGHEST_BYTES = 32 * 2**20  # up to which glibc raises the second by itself, the first to twice it


@contextmanager
def by_default() -> Iterator[None]:
    """Give freed memory back as glibc does in a process that has been using large blocks."""
    from samssl_cli.stages.allocator import keep_freed_memory

    with suppress(AttributeError, OSError, TypeError):  # no glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _HIGHEST_BYTES)
        mallopt(_TRIM_THRESHOLD, 2 * _HIGHEST_BYTES)
    try:
        yield
    finally:
        keep_freed_memory.cache_clear()
        keep_freed_memory()
