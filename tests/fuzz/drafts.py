"""Unfinished artifacts with their states and locks, signed as an attacker would."""

import random
from pathlib import Path

from tests.fuzz import edits, forging
from tests.fuzz.seed_drafts import draft, resume
from tests.fuzz.target import Target, no_edits


def _draft(summary: str, stage: str) -> Target:
    def write(data: bytes, folder: Path) -> None:
        output = folder.parent / "out"
        edits.write(edits.applied(draft(stage), edits.parse(data)), output)
        forging.sign(output)

    def mutated(data: bytes, rng: random.Random) -> bytes:
        return edits.changed(data, draft(stage), rng)

    def read(_: Path, output: Path) -> None:
        resume(stage, output)

    return Target(summary, no_edits, write, (read,), mutated)


DRAFTS: dict[str, Target] = {
    "draft-of-cases": _draft("what a killed preprocess left", "preprocess"),
    "draft-of-checkpoint": _draft("what a killed train-ssl left", "train-ssl"),
    "draft-of-labels": _draft("what a killed sam-label with a calibrated gate left", "sam-label"),
    "draft-of-scores": _draft("what a killed evaluate left", "evaluate"),
    "draft-of-generalist": _draft("what a killed adapt left", "adapt"),
}
