"""The page of benchmarks/left_atrium.py: tables with intervals, and how to repeat them.

Every number is read from the scores that `samssl evaluate` wrote, or printed by `samssl compare`.
"""

import datetime
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from left_atrium_grid import ALONE, ARMS, GENERALIST, Grid
from numpy.typing import NDArray

from samssl_cli.metrics.columns import Column, column
from samssl_cli.metrics.intervals import mean_interval

METRICS = ("dice", "hd95", "asd")
SANITY = {
    "blur+largest-component": "alone, blurred before the largest component",
    "generalist+specialist-prompts": "the generalist alone, with the prompts of `alone`",
    "generalist+oracle-prompts": "the generalist alone, with prompts on the reference: a bound",
}

BY_HAND = "<!-- What follows is written by hand, and kept. -->"
"""The line of the page after which nothing is replaced."""

_ABOUT = """\
<!-- Written by benchmarks/left_atrium.py. -->

# Benchmark: Left Atrium

{date}, seeds {seeds}, {steps} steps for every training, {hardware}; {versions}.

Every row is the last checkpoint: none was chosen by a score. Predictions are reduced to their
largest component. In brackets is the 95 % interval of the mean over {num_cases} test cases
([studentised bootstrap](statistics.md)), each case counting with its mean over the seeds; ± is the
standard deviation of the mean over the seeds. A miss counts with its penalty.

| row | what it is | steps |
|---|---|--:|
| alone | `train-ssl` | {steps} |
| continued | that specialist trained on, the pseudo-labels' weight being 0 | {twice} |
| self-training | {start} on the specialist's own labels | {twice} |
| +SAM | {start} on what {generalists} makes of them | {twice} |

"""


def page(
    grid: Grid, compared: Mapping[tuple[int, str], str], *, typed: Sequence[str], threads: int
) -> str:
    """The whole page as Markdown; `compared` is what `samssl compare --json` printed."""
    first = _read(grid, grid.labels[0], grid.methods[0], ALONE)[0]
    about = first["about"]
    hardware = about["hardware"]
    text = _ABOUT.format(
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        seeds=", ".join(map(str, grid.seeds)),
        steps=grid.steps,
        twice=f"{grid.steps} + {grid.steps}",
        hardware=f"{hardware['name']} ({hardware['device']}), threads in each process: {threads}",
        versions=", ".join(f"{name} {version}" for name, version in about["versions"].items()),
        num_cases=about["num_scored"]["test"],
        start="from there" if grid.start == "specialist" else "from random weights",
        generalists=" and ".join(f"`{name}`" for name in grid.generalists),
    )
    parts = [text, *_exposure(about)]
    for labels in grid.labels:
        parts += _of_labels(grid, labels, compared)
    parts += _commands(grid, typed)
    return "\n".join(parts) + "\n"


def replaced(before: str, text: str) -> str:
    """The new page with what was written by hand at the end of the one before."""
    _, marker, kept = before.partition(BY_HAND)
    return f"{text}\n{marker}{kept}" if marker else text


def _exposure(about: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"- {one['sentence']}" for one in about["exposure"])
    yield ""


def _of_labels(grid: Grid, labels: int, compared: Mapping[tuple[int, str], str]) -> Iterator[str]:
    """The tables of one number of labels."""
    alone = _read(grid, labels, grid.methods[0], ALONE)
    columns = _columns(alone[0])
    budget = alone[0]["about"]["label_budget"]
    labeled = {purpose: count for purpose, count in budget.items() if purpose != "unlabeled"}
    told = ", ".join(f"{count} for {purpose}" for purpose, count in labeled.items())
    yield f"## {labels} labeled case{'s' * (labels > 1)}\n"
    yield f"Label budget (cases): {told}; {budget['unlabeled']} unlabeled.\n"
    yield f"| method | row | {' | '.join(one.title for one in columns)} |"
    yield "|---|---|" + "--:|" * len(columns)
    yield _line("", "image-blind template of the labeled masks", alone[:1], columns, "template")
    for method in grid.methods:
        for arm in ARMS:
            yield _line(method, arm, _read(grid, labels, method, arm), columns, None)
        runs = _read(grid, labels, method, ALONE)
        for row, meaning in SANITY.items():
            if row in runs[0]["about"]["rows"]:
                yield _line(method, meaning, runs, columns, row)
    yield ""
    yield "What `samssl compare` finds, each row against self-training:\n"
    for method in grid.methods:
        found = json.loads(compared[labels, method])["comparisons"]
        yield from (f"- {method}: {one['sentence']}" for one in found if one["class"] is None)
    yield ""
    yield from _gains(grid, labels)


def _gains(grid: Grid, labels: int) -> Iterator[str]:
    """How much Dice +SAM gains on each other row, over all methods."""
    yield f"What +SAM gains in Dice, the mean over the {len(grid.methods)} methods and the seeds:\n"
    yield "| compared with | points | methods that gain |"
    yield "|---|--:|--:|"
    for arm in (one for one in ARMS if one != GENERALIST):
        gains = np.stack([_gain(grid, labels, method, arm) for method in grid.methods])
        low, high = mean_interval(gains.mean(axis=0))
        shown = " ".join(
            (f"{100 * gains.mean():+.2f}", f"[{100 * float(low):.2f}, {100 * float(high):.2f}]")
        )
        better = int((gains.mean(axis=1) > 0).sum())
        yield f"| {arm} | {shown} | {better} of {len(grid.methods)} |"
    yield ""


def _gain(grid: Grid, labels: int, method: str, arm: str) -> NDArray[np.float64]:
    """(cases,): Dice of +SAM less that of another row, each the mean over the seeds."""
    ours, other = (
        np.mean([_values(one, None, "dice") for one in _read(grid, labels, method, name)], axis=0)
        for name in (GENERALIST, arm)
    )
    gain: NDArray[np.float64] = ours - other
    return gain


def _line(
    method: str, what: str, runs: Sequence[dict[str, Any]], columns: list[Column], row: str | None
) -> str:
    """One line of a table; without a row, the headline of the scores."""
    cells = (_cell([_values(one, row, column.name) for one in runs], column) for column in columns)
    return f"| {method} | {what} | {' | '.join(cells)} |"


def _cell(runs: Sequence[NDArray[np.float64]], column: Column) -> str:
    """Mean over seeds and cases, the deviation over seeds, and the interval over cases."""
    table = np.stack(runs)  # (seeds, cases)
    by_case = table.mean(axis=0)
    bounds = (0.0, 1.0 if column.unit == "%" else np.inf)
    low, high = mean_interval(by_case, bounds=bounds)
    spread = f" ± {column.shown(table.mean(axis=1).std(ddof=1))}" if len(table) > 1 else ""
    mean = column.shown(by_case.mean())
    return f"{mean}{spread} [{column.shown(float(low))}, {column.shown(float(high))}]"


def _values(scores: Mapping[str, Any], row: str | None, name: str) -> NDArray[np.float64]:
    """(cases,) of one row, each the mean over the classes, in the order of the cases' names."""
    shown = row or scores["about"]["headline"]
    by_case: dict[str, list[float]] = {}
    for one in scores["cases"]:
        if one["row"] == shown:
            by_case.setdefault(one["case"], []).append(one["values"][name])
    return np.array([np.mean(by_case[case]) for case in sorted(by_case)])


def _columns(scores: Mapping[str, Any]) -> list[Column]:
    """Dice, HD95 and ASD, in the unit that the scores have."""
    known = [column(name) for name in scores["about"]["metrics"]]
    return [one for metric in METRICS for one in known if one.name.split("_")[0] == metric]


def _read(grid: Grid, labels: int, method: str, arm: str) -> list[dict[str, Any]]:
    """scores.json of one row, one for each seed."""
    paths = (grid.scores(labels, method, seed, arm) for seed in grid.seeds)
    return [json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in paths]


def _commands(grid: Grid, typed: Sequence[str]) -> Iterator[str]:
    """How to repeat it: the one command, and those of the first chain, with folders left open."""
    labels, method, seed = next(grid.cells())
    yield "## How to repeat it\n"
    yield f"    {_without_folders(grid, typed)}\n"
    yield (
        f"`--dry-run` prints all {sum(1 for _ in grid.commands())} commands. Those of the first "
        "chain, the others differing in labels, method and seed:\n"
    )
    yield "```bash"
    for command in (grid.preprocess(labels), *grid.chain(labels, method, seed)):
        yield _without_folders(grid, ["samssl", *command])
    yield "```"


def _without_folders(grid: Grid, words: Sequence[str]) -> str:
    """A command with names for the folders of this machine, which are of no use elsewhere."""
    names = {grid.work: "WORK", grid.data: "DATA"}
    names |= {} if grid.split is None else {grid.split: "splits.json"}
    for checkpoint in grid.checkpoints:
        file = Path(checkpoint.rpartition("=")[2])
        names[file] = file.name
    return shlex.join(_renamed(word, names) for word in words)


def _renamed(word: str, names: Mapping[Path, str]) -> str:
    """`word` with what it begins with, maybe after NAME=, called otherwise if it is in `names`."""
    prefix, equals, text = word.rpartition("=")
    for path, name in names.items():
        if text == str(path) or text.startswith(f"{path}/"):
            return f"{prefix}{equals}{name}{text[len(str(path)) :]}"
    return word
