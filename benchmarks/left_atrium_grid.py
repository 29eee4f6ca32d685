"""The commands of benchmarks/left_atrium.py, and where each of their artifacts lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KNOWN_AS = "Left Atrium"  # in the register of what generalists have seen

ALONE, CONTINUED, SELF_TRAINING, GENERALIST = "alone", "continued", "self-training", "+SAM"
ARMS = (ALONE, CONTINUED, SELF_TRAINING, GENERALIST)
BASELINE = SELF_TRAINING  # what a generalist has to beat

_FILES = {ALONE: "alone", CONTINUED: "continued", SELF_TRAINING: "own", GENERALIST: "sam"}
_RETRAINED = tuple(_FILES[arm] for arm in (CONTINUED, SELF_TRAINING, GENERALIST))
_OWN_LABELS = ("--generalist", "none", "--set", "sam_label.gate=thresholds")

Command = list[str]
"""What `samssl` is given."""


@dataclass(frozen=True)
class Grid:
    """What is run, and where it lies: one folder for each label count, method and seed."""

    data: Path
    work: Path
    split: Path | None
    recipe: str
    overrides: tuple[str, ...]
    methods: tuple[str, ...]
    labels: tuple[int, ...]
    seeds: tuple[int, ...]
    steps: int
    generalists: tuple[str, ...]
    checkpoints: tuple[str, ...]
    start: str
    device: str

    def cells(self) -> Iterator[tuple[int, str, int]]:
        """Labels, method and seed of each chain; the first seed of everything comes first."""
        for seed in self.seeds:
            yield from ((labels, method, seed) for labels in self.labels for method in self.methods)

    def cases(self, labels: int) -> Path:
        """The preprocessed data with so many labeled cases."""
        return self.work / f"labels-{labels}" / "cases.zarr"

    def folder(self, labels: int, method: str, seed: int) -> Path:
        """Where the artifacts of one chain lie."""
        return self.work / f"labels-{labels}" / method / f"seed-{seed}"

    def scores(self, labels: int, method: str, seed: int, arm: str) -> Path:
        """The scores of one row with one seed."""
        return self.folder(labels, method, seed) / f"{_FILES[arm]}-scores.zarr"

    def preprocess(self, labels: int) -> Command:
        """The command that makes the cases."""
        split = ["--split", str(self.split)] if self.split else []
        where = [str(self.data), "-o", str(self.cases(labels))]
        return ["preprocess", *where, "--labeled", str(labels), *split, *self._recipe()]

    def chain(self, labels: int, method: str, seed: int) -> Iterator[Command]:
        """The commands of one chain, from the specialist to the scores of all four rows."""

        def at(name: str) -> str:
            return str(self.folder(labels, method, seed) / f"{name}.zarr")

        cases = str(self.cases(labels))
        seeded, device = ["--seed", str(seed), *self._recipe()], ["--device", self.device]
        fitted = ["--method", method, "--steps", str(self.steps), *seeded, *device]
        specialist = at("specialist")
        yield ["train-ssl", cases, "-o", specialist, *fitted]
        yield ["prompt", cases, specialist, "-o", at("prompts"), *seeded, *device]
        label = ["sam-label", cases, at("prompts"), "-o"]
        yield [*label, at("own-pseudo"), *self._recipe(), *_OWN_LABELS, *device]
        yield [*label, at("sam-pseudo"), *self._recipe(), *self._asked(), *device]
        for name in _RETRAINED:
            pseudo = at("sam-pseudo" if name == "sam" else "own-pseudo")
            is_new = self.start == "scratch" and name != "continued"
            init = ["--init", "scratch" if is_new else specialist]
            silent = ["--set", "retrain.sam_weight=0"] if name == "continued" else []
            yield ["retrain", cases, pseudo, "-o", at(name), *init, *fitted, *silent]
        known = ["--known-as", KNOWN_AS, *self._recipe(), *device]
        beside = ["--sanity", *self._asked()]
        yield ["evaluate", cases, specialist, "-o", at("alone-scores"), *beside, *known]
        for name in _RETRAINED:
            yield ["evaluate", cases, at(name), "-o", at(f"{name}-scores"), "--no-sanity", *known]

    def comparison(self, labels: int, method: str) -> Command:
        """The command that compares every row of a method with self-training, over all seeds."""
        order = (BASELINE, *(arm for arm in ARMS if arm != BASELINE))
        runs = [
            f"{arm}={self.scores(labels, method, seed, arm)}"
            for arm in order
            for seed in self.seeds
        ]
        return ["compare", *runs, "--row", "largest-component", "--json"]

    def commands(self) -> Iterator[Command]:
        """Every command, in the order of a run with one job."""
        yield from (self.preprocess(labels) for labels in self.labels)
        for cell in self.cells():
            yield from self.chain(*cell)
        for labels in self.labels:
            yield from (self.comparison(labels, method) for method in self.methods)

    def _recipe(self) -> list[str]:
        changes = (word for override in self.overrides for word in ("--set", override))
        return ["--recipe", self.recipe, *changes]

    def _asked(self) -> list[str]:
        names = (word for name in self.generalists for word in ("--generalist", name))
        files = (word for file in self.checkpoints for word in ("--checkpoint", file))
        return [*names, *files]
