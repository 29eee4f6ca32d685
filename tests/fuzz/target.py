"""What a target is: how an input becomes files, and who reads them, watched."""

import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samssl_cli.errors import SamsslError
from tests.fuzz import edits, forging, guard, noise, seeds

MB = 1_000_000
MAX_BYTES = 100 * MB
"""Of a volume, in place of the 4 GB that a recipe allows."""

Reader = Callable[[Path, Path], object]
"""Reads what is in the first folder; may write in the second."""


@dataclass(frozen=True)
class Target:
    """One way in."""

    summary: str
    examples: Callable[[], list[bytes]]
    """Inputs to begin with, sound ones among them."""
    write: Callable[[bytes, Path], None]
    """Turns an input into files in a folder."""
    readers: tuple[Reader, ...]
    mutated: Callable[[bytes, random.Random], bytes]
    """Another input like this one."""
    named: tuple[str, ...] = ()
    """What a refusal names where it does not name a file."""


def judge(target: Target, data: bytes) -> guard.Verdict:
    """Let all readers of a target read an input: the first broken promise, or what they refused."""
    told = ""
    for number, reader in enumerate(target.readers):
        with tempfile.TemporaryDirectory(prefix="samssl-fuzz-") as scratch:
            inside, output = Path(scratch) / "in", Path(scratch) / "out"
            inside.mkdir()
            output.mkdir()
            target.write(data, inside)

            def action(reader: Reader = reader, paths: Any = (inside, output)) -> object:
                return reader(*paths)

            named = (str(inside), str(output), *target.named)
            verdict = guard.judge(action, named=named, writable=output)
            strangers = {path.name for path in Path(scratch).iterdir()} - {"in", "out"}
            if strangers:
                verdict = guard.Verdict(False, f"wrote {strangers}", "forbidden write")
        if not verdict.is_fine:
            return guard.Verdict(False, verdict.told, f"{verdict.place} (reader {number})")
        told = "\n".join(filter(None, (told, verdict.told)))
    return guard.Verdict(is_fine=True, told=told)


def warm_up(target: Target) -> None:
    """Read the examples unwatched: what is imported late is imported now."""
    from samssl_cli.inference import sliding_window
    from samssl_cli.metrics import postprocess
    from samssl_cli.stages import preparation, specialist

    assert all((sliding_window, postprocess, preparation, specialist))
    for data in target.examples():
        for reader in target.readers:
            with tempfile.TemporaryDirectory(prefix="samssl-fuzz-") as scratch:
                inside, output = Path(scratch) / "in", Path(scratch) / "out"
                inside.mkdir()
                output.mkdir()
                target.write(data, inside)
                with suppress(SamsslError):
                    reader(inside, output)


def no_edits() -> list[bytes]:
    """The sound files."""
    return [b"[]"]


def write_tree(name: str, *, is_signed: bool = False) -> Callable[[bytes, Path], None]:
    """Write the edited files of `data`, or of an artifact, signed again if it is one."""

    def write(data: bytes, folder: Path) -> None:
        edits.write(edits.applied(seeds.tree(name), edits.parse(data)), folder)
        if is_signed:
            forging.sign(folder)

    return write


def edited(name: str) -> Callable[[bytes, random.Random], bytes]:
    """Change the edits of such files."""
    return lambda data, rng: edits.changed(data, seeds.tree(name), rng)


def write_file(name: str) -> Callable[[bytes, Path], None]:
    """Write the input as one file."""
    return lambda data, folder: (folder / name).write_bytes(data) and None


def noisy_with(*words: bytes) -> Callable[[bytes, random.Random], bytes]:
    """Change bytes, and put in these words now and then."""
    return lambda data, rng: noise.noisy(data, rng, words)
