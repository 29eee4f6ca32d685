"""How long scoring a large case takes, alone and beside medpy: the figures in docs/metrics.md.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/metrics.py [--medpy-python PATH]

Two organs, as large as a liver and a spleen, are made from a seed in a volume of 512 x 512 x 160
voxels. Timed is `score_case`: every metric of both organs, from the label maps on. With the
interpreter of an environment that has medpy (a program of its own; medpy is GPL and never imported
here), its functions are timed on the same masks in the same run, in turns, and the values compared.

Printed are medians over the repeats, in seconds; exits 1 when a bar is missed or values differ.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from samssl_cli.metrics.score import ClassScore, score_case

Label = NDArray[np.uint8]

SHAPE = (512, 512, 160)
SPACING_MM = (0.8, 0.8, 2.5)
TOLERANCE_MM = 2.0
LARGEST_DIFFERENCE = 1e-4

MEDPY_NAMES = {
    **{"dc": "dice", "jc": "jaccard", "precision": "precision", "recall": "recall"},
    **{"hd95": "hd95_mm", "asd": "asd_mm", "hd": "hd_mm", "assd": "assd_mm"},
}
LITERATURE = ("dc", "jc", "hd95", "asd")
"""What the literature on the Left Atrium reports."""
DISTANCES = ("hd", "hd95", "asd", "assd")

MEDPY_PROGRAM = """
import json, sys, time
import numpy as np
from medpy.metric import binary

folder, spacing, names = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
maps = [np.load(f"{folder}/{name}.npy") for name in ("prediction", "reference")]
answer = []
for index in range(1, int(maps[1].max()) + 1):
    masks = [label == index for label in maps]  # not timed
    values, seconds = {}, {}
    for name, is_distance in names:
        begin = time.perf_counter()
        metric = getattr(binary, name)
        values[name] = float(metric(*masks, spacing) if is_distance else metric(*masks))
        seconds[name] = time.perf_counter() - begin
    answer.append({"values": values, "seconds": seconds})
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class Organ:
    """An ellipsoid; `change_mm` is how a prediction's centre and radii differ from it."""

    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    change_mm: tuple[float, float, float]


ORGANS = (
    Organ((150, 200, 200), (102, 76, 50), (-1.5, 2.0, 1.0)),  # 1.7 litres
    Organ((310, 230, 210), (45, 32, 34), (1.0, -1.0, 1.5)),  # 0.2 litres
)


def main() -> int:
    """Print the figures; 1 when a bar is missed."""
    options = _options()
    reference = organs(options.seed, as_predicted=False)
    prediction = organs(options.seed, as_predicted=True)
    ours, medpy = _Timings(), _Timings()
    with TemporaryDirectory() as folder:
        np.save(f"{folder}/prediction.npy", prediction)
        np.save(f"{folder}/reference.npy", reference)
        for _ in range(options.repeats):
            scores = _time_ours(prediction, reference, ours)
            if options.medpy_python:
                answer = _time_medpy(options.medpy_python, Path(folder), medpy)
    _describe(scores)
    _line("score_case, all metrics", ours.median("all"))
    is_good = ours.median("all") <= options.max_seconds
    if options.medpy_python:
        is_good &= _compare(ours, medpy, options.min_ratio) & _agree(scores, answer)
    _say("good" if is_good else f"missed: {options.max_seconds} s, {options.min_ratio} x medpy")
    return 0 if is_good else 1


def organs(seed: int, *, as_predicted: bool) -> Label:
    """A label map of both organs with wobbly surfaces; the prediction also has one island."""
    label = np.zeros(SHAPE, np.uint8)
    for index, organ in enumerate(ORGANS, start=1):
        change = np.array(organ.change_mm) * as_predicted
        centre, radii = np.add(organ.centre_mm, change), np.subtract(organ.radii_mm, change)
        box, mask = _wobbly(centre, radii, [seed, index], amplitude=0.04 + 0.005 * as_predicted)
        label[box][mask] = index
    if as_predicted:
        label[400:412, 100:112, 60:64] = 1
    return label


def _wobbly(
    centre: NDArray[np.float64], radii: NDArray[np.float64], seed: list[int], amplitude: float
) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """An ellipsoid whose radius is modulated by twelve plane waves of 25 to 90 mm; in its box."""
    low = np.maximum((centre - 1.5 * radii) / SPACING_MM, 0).astype(int)
    high = np.minimum((centre + 1.5 * radii) / SPACING_MM, SHAPE).astype(int)
    box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    sides = [
        np.arange(side.start, side.stop) * step - middle
        for side, step, middle in zip(box, SPACING_MM, centre, strict=True)
    ]
    axes = np.meshgrid(*(side.astype(np.float32) for side in sides), indexing="ij", sparse=True)
    level = np.sqrt(sum((axis / radius) ** 2 for axis, radius in zip(axes, radii, strict=True)))
    generator = np.random.default_rng(seed)
    for _ in range(12):
        direction = generator.standard_normal(3)
        wave = direction / np.linalg.norm(direction) * 2 * np.pi / generator.uniform(25, 90)
        phase = sum(axis * number for axis, number in zip(axes, wave, strict=True))
        level = level + amplitude * np.sin(phase + generator.uniform(0, 2 * np.pi))
    return box, np.asarray(level < 1)


class _Timings:
    """Seconds of each repeat, by name."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def add(self, name: str, seconds: float) -> None:
        self._seconds.setdefault(name, []).append(seconds)

    def median(self, *names: str) -> float:
        """Of the repeats' sums over `names`."""
        columns = (self._seconds[name] for name in names)
        return float(median(sum(repeat) for repeat in zip(*columns, strict=True)))


def _time_ours(prediction: Label, reference: Label, timings: _Timings) -> list[ClassScore]:
    num_classes = len(ORGANS) + 1
    begin = time.perf_counter()
    scores = score_case(
        prediction, reference, SPACING_MM, num_classes, tolerance=TOLERANCE_MM, in_voxels=False
    )
    timings.add("all", time.perf_counter() - begin)
    return scores


def _time_medpy(python: Path, folder: Path, timings: _Timings) -> list[dict[str, float]]:
    """Run medpy's functions once on every organ; gives the values of each."""
    names = [(name, column.endswith("_mm")) for name, column in MEDPY_NAMES.items()]
    arguments = [str(folder), json.dumps(SPACING_MM), json.dumps(names)]
    ran = subprocess.run(
        [python, "-c", MEDPY_PROGRAM, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    answer = json.loads(ran.stdout)
    for name in MEDPY_NAMES:
        timings.add(name, sum(organ["seconds"][name] for organ in answer))
    return [organ["values"] for organ in answer]


def _compare(ours: _Timings, medpy: _Timings, min_ratio: float) -> bool:
    """Print medpy's times beside ours; whether the literature's four take `min_ratio` as long."""
    ratios = []
    for names in (LITERATURE, DISTANCES):
        seconds = medpy.median(*names)
        ratios.append(seconds / ours.median("all"))
        _line(f"medpy {', '.join(names)}", seconds, f"{ratios[-1]:.1f} x ours")
    return ratios[0] >= min_ratio


def _agree(scores: list[ClassScore], answer: list[dict[str, float]]) -> bool:
    differences = [
        abs(score.values[column] - values[name])
        for score, values in zip(scores, answer, strict=True)
        for name, column in MEDPY_NAMES.items()
    ]
    _say(f"largest difference to medpy's {len(MEDPY_NAMES)} values: {max(differences):.1e}")
    return max(differences) <= LARGEST_DIFFERENCE


def _describe(scores: list[ClassScore]) -> None:
    for score in scores:
        values = ", ".join(f"{name} {value:.3f}" for name, value in score.values.items())
        _say(f"organ {score.class_index}, {score.reference_ml:.0f} ml: {values}")


def _line(what: str, seconds: float, note: str = "") -> None:
    _say(f"{what:32s} {seconds:8.2f} s  {note}".rstrip())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the metrics on a large case.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--medpy-python", type=Path, help="an interpreter that has medpy")
    parser.add_argument("--max-seconds", type=float, default=3.0)
    parser.add_argument("--min-ratio", type=float, default=5.0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
