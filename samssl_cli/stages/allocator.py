"""How this process gets memory for large tensors on a CPU."""

import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_INT = 2**31 - 1
_KEPT_BELOW_BYTES = 2**30


@cache
def keep_freed_memory() -> bool:
    """Have glibc keep what is freed, up to 2 GiB, for the next tensor, from here on.

    By default it returns every block above 32 MiB to the system at once, and the system fills each
    new one with zeros, page by page: half of the time of SAM's own encoder on a CPU. The peak of
    the memory does not change, but some of it is given back later; tensors of 1 GiB or more are
    still returned at once.

    Returns:
        Whether it does; elsewhere than on glibc, nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    is_kept = mallopt(_MMAP_THRESHOLD, _KEPT_BELOW_BYTES) == 1
    return bool(is_kept and mallopt(_TRIM_THRESHOLD, _LARGEST_INT) == 1)
