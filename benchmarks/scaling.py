"""Time and peak memory of the six stages, by the number of cases and by the size of the volumes.

    OMP_NUM_THREADS=1 taskset -c 0 python -m benchmarks.scaling -o scaling

Every stage runs as `samssl` in a process of its own, on phantoms, with a tiny recipe. Kept are the
seconds on the clock, the seconds of CPU, and the largest resident memory of the process or of one
that it started. FOLDER gets `scaling.json`, `scaling.svg`, `scaling.png`, and the logs.

The cases grow with small volumes; the test cases grow with them, so that `evaluate` has more to do.
The volumes grow with few cases. Trainings take a fixed number of steps: what grows with the cases
there is what they do besides.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

STAGES = ("preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate")
CASES = (5, 10, 20, 40, 80)
SIDES = (48, 64, 96, 128)
SMALL_SIDE = 48
WARM_UP_CASES = 3
FEW_CASES = 5
FLAT = 0.2
"""Time that grows by less than this share of the first is start-up and noise, and has no ratio."""

RECIPE = """\
[network]
name = "unet"
channels = [8, 16]

[train_ssl]
method = "mean-teacher"
steps = 10
patch_size = [32, 32, 32]

[retrain]
steps = 10
patch_size = [32, 32, 32]

[prompt]
min_component_voxels = 20

[sam_label]
generalist = "region-growing"
min_agreement = 0.0

[inference]
overlap = 0.25
"""


@dataclass(frozen=True)
class Measured:
    """What one stage took on one data set."""

    stage: str
    cases: int
    """Of training; there are as many test cases."""
    voxels: int
    """Of each case."""
    wall_s: float
    cpu_s: float
    """Of the process and those that it started, user and system."""
    peak_mb: float
    """Largest resident memory, in 10^6 bytes, of the process or of one that it started."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both series, write the figures, and tell how they grow."""
    options = parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for _ in _measure(options.output, WARM_UP_CASES, SMALL_SIDE):
        pass  # not kept: these compile all modules, and fill the cache of files
    cases = list(measure_cases(options.output, options.cases))
    volumes = list(measure_volumes(options.output, options.sides))
    # These come last: a process inherits the memory of the one that starts it, at its peak.
    from benchmarks.machine import machine
    from benchmarks.scaling_figure import scaling_figure

    drawing = scaling_figure(cases, volumes)
    (options.output / "scaling.svg").write_text(drawing.svg, encoding="utf-8")
    (options.output / "scaling.png").write_bytes(drawing.png)
    found = {
        **machine(),
        "cases": [asdict(one) for one in cases],
        "volumes": [asdict(one) for one in volumes],
        "growth_with_cases": growth(cases, "cases"),
        "growth_with_voxels": growth(volumes, "voxels"),
    }
    text = json.dumps(found, indent=2, allow_nan=False) + "\n"
    (options.output / "scaling.json").write_text(text, encoding="utf-8")
    for series in ("cases", "voxels"):
        _say("\n".join(_told(series, found[f"growth_with_{series}"])))
    return 0


def measure_cases(output: Path, counts: Sequence[int]) -> Iterator[Measured]:
    """All stages on data sets of more and more small cases."""
    for count in counts:
        yield from _measure(output, count, SMALL_SIDE)


def measure_volumes(output: Path, sides: Sequence[int]) -> Iterator[Measured]:
    """All stages on data sets of few cases, larger and larger."""
    for side in sides:
        yield from _measure(output, FEW_CASES, side)


def _measure(output: Path, cases: int, side: int) -> Iterator[Measured]:
    """All stages on one data set, which is removed in the end."""
    shape = (side, side, side * 2 // 3)
    voxels = shape[0] * shape[1] * shape[2]
    with tempfile.TemporaryDirectory(dir=output) as name:
        folder = Path(name)
        _make(folder / "data", cases, shape)
        (folder / "tiny.toml").write_text(RECIPE, encoding="utf-8")
        for stage, words in commands(folder).items():
            log = output / f"{cases}-{side}-{stage}.log"
            one = Measured(stage, cases, voxels, *timed(words, log))
            _say(
                f"{cases} cases of {side}: {stage} {one.wall_s:.1f} s on the clock, "
                f"{one.cpu_s:.1f} s of CPU, {one.peak_mb:.0f} MB"
            )
            yield one


def commands(folder: Path) -> dict[str, list[str]]:
    """The words of each stage, in the order in which they run."""
    cases, specialist, prompts, pseudo, student, scores = (
        str(folder / f"{name}.zarr")
        for name in ("cases", "specialist", "prompts", "pseudo", "student", "scores")
    )
    parts = {
        "preprocess": [str(folder / "data"), "-o", cases, "--workers", "1"],
        "train-ssl": [cases, "-o", specialist],
        "prompt": [cases, specialist, "-o", prompts],
        "sam-label": [cases, prompts, "-o", pseudo],
        "retrain": [cases, pseudo, "-o", student],
        "evaluate": [cases, student, "-o", scores],
    }
    program = [sys.executable, "-m", "samssl_cli"]
    recipe = ["--recipe", str(folder / "tiny.toml")]
    return {
        stage: [*program, stage, *words, *recipe, *_device(stage)] for stage, words in parts.items()
    }


def _device(stage: str) -> list[str]:
    return [] if stage == "preprocess" else ["--device", "cpu"]


def timed(words: Sequence[str], log: Path) -> tuple[float, float, float]:
    """Run a command to its end.

    Returns:
        Seconds on the clock, seconds of CPU, peak memory in 10^6 bytes.

    Raises:
        SystemExit: when the command fails; its log is named.
    """
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(log.parent / "bytecode")}
    with log.open("wb") as told:
        begin = time.perf_counter()
        process = subprocess.Popen(words, stdout=told, stderr=told, env={**os.environ, **bytecode})
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}: see {log}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6


def growth(measured: Sequence[Measured], size: str) -> dict[str, dict[str, float | None]]:
    """How each stage grows with `size`, a field of `Measured`.

    `slope_ratio` is the time that each further case (or voxel) takes in the upper part of the sizes
    over that in the lower part, which meet in the middle one: start-up falls out of both, 1 is
    linear, above 1 is worse. None where the time grows by less than `FLAT`, or there are
    less than three sizes. `*_ratio` are the largest size over the smallest.
    """
    return {stage: _growth(rows, size) for stage, rows in by_stage(measured).items()}


def by_stage(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    """The measurements of each stage, in their order."""
    return {stage: [one for one in measured if one.stage == stage] for stage in STAGES}


def _growth(rows: Sequence[Measured], size: str) -> dict[str, float | None]:
    sizes = [getattr(one, size) for one in rows]
    first, last = rows[0], rows[-1]
    steepness = (
        slope_ratio(sizes, [one.cpu_s for one in rows]),
        slope_ratio(sizes, [one.wall_s for one in rows]),
    )
    return {
        "cpu_slope_ratio": steepness[0],
        "wall_slope_ratio": steepness[1],
        "cpu_ratio": last.cpu_s / first.cpu_s,
        "wall_ratio": last.wall_s / first.wall_s,
        "memory_ratio": last.peak_mb / first.peak_mb,
        "mean_peak_mb": fmean(one.peak_mb for one in rows),
    }


def slope_ratio(sizes: Sequence[float], seconds: Sequence[float]) -> float | None:
    """Seconds per size in the upper part over those in the lower part; see `growth`."""
    middle = len(sizes) // 2
    if len(sizes) < 3 or seconds[-1] < seconds[0] * (1 + FLAT):
        return None
    lower = (seconds[middle] - seconds[0]) / (sizes[middle] - sizes[0])
    upper = (seconds[-1] - seconds[middle]) / (sizes[-1] - sizes[middle])
    return upper / lower if lower > 0 else None


def _told(series: str, found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield f"With the {series}, largest over smallest:"
    for stage, one in found.items():
        slope = one["cpu_slope_ratio"]
        further = "flat" if slope is None else f"{slope:.2f} times per further one"
        yield (
            f"  {stage}: CPU {one['cpu_ratio']:.2f} ({further}), clock {one['wall_ratio']:.2f}, "
            f"memory {one['memory_ratio']:.2f}"
        )


def _make(folder: Path, cases: int, shape: tuple[int, int, int]) -> None:
    """Draw the phantoms in a process of its own, whose memory goes with it."""
    context = multiprocessing.get_context("spawn")
    maker = context.Process(target=_draw, args=(folder, cases, shape))
    maker.start()
    maker.join()
    if maker.exitcode:
        raise SystemExit(f"{folder}: the phantoms could not be made")


def _draw(folder: Path, cases: int, shape: tuple[int, int, int]) -> None:
    from samssl_cli.volumes.phantom import make_phantom_dataset

    make_phantom_dataset(folder, num_train=cases, num_labeled=2, num_test=cases, shape=shape)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description="Time and peak memory of the stages by number of cases and size of volumes.",
    )
    made.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    made.add_argument("--cases", type=_at_least(3), nargs="+", default=CASES, action=_Growing)
    made.add_argument("--sides", type=_at_least(32), nargs="+", default=SIDES, action=_Growing)
    return made


def _at_least(least: int) -> Any:
    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: give {least} or more")
        return int(text)

    return count


class _Growing(argparse.Action):
    """Several numbers, each above the one before."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        if sorted(set(values)) != values:
            parser.error(f"{option}: give different numbers in rising order")
        setattr(namespace, self.dest, values)


if __name__ == "__main__":
    sys.exit(main())
