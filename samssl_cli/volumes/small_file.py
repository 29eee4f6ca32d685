"""Files that are read whole because they are small, whoever put them there."""

from pathlib import Path


class NoSmallFileError(OSError):
    """There is something else, or too much of it."""


def read_small_file(path: Path, *, max_bytes: int) -> bytes:
    """The content of a file, if it is one: a pipe waits for ever, and a device has no end.

    Raises:
        NoSmallFileError: when it is no file, or larger than `max_bytes`; without its name.
        OSError: when it is missing, or cannot be read.
    """
    if path.exists() and not path.is_file():
        raise NoSmallFileError("is no file, but a folder, a pipe or a device")
    if path.is_file() and path.stat().st_size > max_bytes:
        raise NoSmallFileError(f"is larger than {max_bytes / 1e6:g} MB")
    return path.read_bytes()
