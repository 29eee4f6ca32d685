"""Make inputs for a target until the time is up, and keep what breaks a promise."""

import json
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.target import Target, judge
from tests.fuzz.targets import TARGETS

FINDINGS = Path(__file__).with_name("findings")


@dataclass
class Log:
    """What was found so far, one file for each place that breaks."""

    target: str
    folder: Path
    num_inputs: int = 0
    num_refused: int = 0
    found: dict[str, int] = field(default_factory=dict)

    def try_input(self, data: bytes) -> None:
        """Judge an input; keep it when it is a new finding, or a shorter one for a known place."""
        running = self._path("died")
        running.write_bytes(data)
        verdict = judge(TARGETS[self.target], data)
        running.unlink()
        self.num_inputs += 1
        self.num_refused += verdict.is_fine and bool(verdict.told)
        if verdict.is_fine or len(data) >= self.found.get(verdict.place, sys.maxsize):
            return
        is_new = verdict.place not in self.found
        self.found[verdict.place] = len(data)
        path = self._path(verdict.place)
        path.write_bytes(data)
        if is_new:
            last = verdict.told.strip().splitlines()[-1:] or [""]
            sys.stderr.write(f"{path}: {verdict.place}: {last[0][:200]}\n")

    def _path(self, place: str) -> Path:
        """Where an input is kept; one that kills the process is left as `died`."""
        folder = self.folder / self.target
        folder.mkdir(parents=True, exist_ok=True)
        return folder / re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")

    def report(self) -> str:
        """One JSON line."""
        return json.dumps(
            {
                "target": self.target,
                "inputs": self.num_inputs,
                "refused": self.num_refused,
                "findings": sorted(self.found),
            }
        )


def mutate_seeds(log: Log, *, seconds: float, seed: int) -> None:
    """Plain mutation: change a sound input, or one that came of it and was refused differently."""
    target, rng = TARGETS[log.target], random.Random(seed)
    pool = target.examples()
    until = time.monotonic() + seconds
    for data in pool:
        log.try_input(data)
    while time.monotonic() < until:
        data = target.mutated(rng.choice(pool), rng)
        log.try_input(data)
        if rng.random() < 0.05:
            pool = [*pool[-200:], data]


def follow_coverage(log: Log, *, seconds: float, seed: int) -> None:
    """Let atheris choose what to change by the lines that it reaches; ends the process."""
    import atheris

    target = TARGETS[log.target]
    until = time.monotonic() + seconds

    def one_input(data: bytes) -> None:
        log.try_input(data)
        if time.monotonic() >= until:
            sys.stdout.write(log.report() + "\n")
            sys.stdout.flush()
            raise SystemExit

    corpus = write_corpus(target)
    flags = [f"-max_total_time={int(seconds) + 60}", f"-seed={seed + 1}", "-timeout=0"]
    flags += ["-rss_limit_mb=0", "-max_len=100000", "-verbosity=0", str(corpus)]
    atheris.Setup([sys.argv[0], *flags], one_input, custom_mutator=_mutator(target))
    atheris.Fuzz()


def write_corpus(target: Target) -> Path:
    """The examples as files, as libFuzzer wants them."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="samssl-fuzz-corpus-"))
    for number, data in enumerate(target.examples()):
        (folder / str(number)).write_bytes(data)
    return folder


def _mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        changed = target.mutated(bytes(data), random.Random(seed))
        return changed if len(changed) <= max_size else bytes(data)[:max_size]

    return mutate
