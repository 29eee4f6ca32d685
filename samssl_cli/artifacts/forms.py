"""What the JSON in an artifact has to look like before anything believes it.

Digests tell whether bytes are those that were written, not who wrote them: an artifact from
elsewhere can be whole and hold anything. What does not have the form that samssl writes is refused
as damaged, with the file's name, instead of ending in a `KeyError`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from samssl_cli.errors import DamagedArtifactError

P = ParamSpec("P")
T = TypeVar("T")
Self = TypeVar("Self")

_MISUNDERSTOOD = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
)

_MANIFEST: Mapping[str, type] = {
    "kind": str,
    "schema": int,
    "stage": str,
    "options": dict,
    "seed": int,
    "inputs": dict,
    "fingerprint": str,
    "about": dict,
    "versions": dict,
    "members": dict,
}
_MEMBER: Mapping[str, type] = {"attributes": dict, "files": dict, "sha256": str}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,140}/(zarr\.json|c(/[0-9]{1,9}){0,8})")


def understood(
    read: Callable[Concatenate[Self, P], T],
) -> Callable[Concatenate[Self, P], T]:
    """Let a method that reads an artifact say which one it is that does not hold what it should.

    The path is the attribute `path` of the object, or, while it is being made, the first argument.
    """

    @wraps(read)
    def wrapper(self: Self, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with understanding(getattr(self, "path", None) or next(iter(args), "artifact")):
            return read(self, *args, **kwargs)

    return wrapper


@contextmanager
def understanding(path: object) -> Iterator[None]:
    """Turn what reading JSON of another form raises into an error that names the artifact."""
    try:
        yield
    except _MISUNDERSTOOD as error:
        raise misunderstood(path, error) from error


@contextmanager
def understanding_what_is_left(path: object) -> Iterator[None]:
    """The same for what an unfinished run left, which --force would not make again."""
    try:
        yield
    except _MISUNDERSTOOD as error:
        raise DamagedArtifactError(
            f"{path}: is not what samssl leaves there ({_in_short(error)}); it comes from "
            "elsewhere, or from another version: remove it, and run the same command again"
        ) from error


def misunderstood(path: object, error: Exception) -> DamagedArtifactError:
    """The error for an artifact that is whole and does not hold what samssl writes."""
    return DamagedArtifactError(
        f"{path}: does not hold what samssl writes there ({_in_short(error)}); it comes from "
        "elsewhere, or from another version: run the stage that makes it again with --force"
    )


def _in_short(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:200]}"


def check_manifest(stored: Mapping[str, Any]) -> None:
    """Raise a `ValueError` or `KeyError` unless these are the values of a manifest."""
    _check(stored, _MANIFEST)
    for key in ("inputs", "members"):
        texts(list(stored[key].values()))


def check_member(done: Mapping[str, Any]) -> None:
    """Raise a `ValueError` or `KeyError` unless this is what a member says of itself.

    Its files have the names of arrays and chunks: never a way out of the member.
    """
    _check(done, _MEMBER)
    texts(list(done["files"].values()))
    for name in done["files"]:
        if not _FILE_NAME.fullmatch(name):
            raise ValueError(f"file {name[:80]!r}, expected ARRAY/zarr.json or ARRAY/c/0/0/0")


def texts(values: object) -> tuple[str, ...]:
    """A list of texts as a tuple.

    Raises:
        ValueError: when it is anything else, such as a single text.
    """
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
        raise ValueError(f"{str(values)[:80]!r}, expected a list of texts")
    return tuple(values)


def whole_numbers(values: object, *, at_least: int, at_most: int) -> tuple[int, int, int]:
    """Three whole numbers within bounds, as a tuple.

    Raises:
        ValueError: when it is anything else.
    """
    if not isinstance(values, list | tuple) or not all(type(one) is int for one in values):
        raise ValueError(f"{str(values)[:80]}, expected three whole numbers")
    i, j, k = values
    if not at_least <= min(i, j, k) <= max(i, j, k) <= at_most:
        raise ValueError(f"{str(values)[:80]}, expected numbers from {at_least} to {at_most}")
    return i, j, k


def _check(found: Mapping[str, Any], form: Mapping[str, type]) -> None:
    for key, kind in form.items():
        if not isinstance(found[key], kind) or isinstance(found[key], bool):
            raise ValueError(f"{key} is {str(found[key])[:80]!r}, expected {kind.__name__}")
