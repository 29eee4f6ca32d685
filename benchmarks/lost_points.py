"""Where a checkpoint loses its Dice: how far from the border, on which side, in which part.

    OMP_NUM_THREADS=1 python benchmarks/lost_points.py cases.zarr student.zarr --recipe quick

Every test case is predicted and reduced to its largest component. Printed are three tables: one row
for each case; the Dice that would be reached if every wrong voxel of a region were right, by the
distance to the border of the reference and by the sixth of the object's box (the first and the last
third along each axis); and the Dice at other thresholds than one half, which tells how much a
tendency to draw too much or too little costs. For one foreground class.

The references are read to be compared with; nothing may be chosen by what is printed.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.generalists.combine import dice
from samssl_cli.metrics.postprocess import largest_component
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.specialist import load_specialist
from samssl_cli.volumes.geometry import from_native_label

Mask = NDArray[np.bool_]

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BANDS = ((0, 1), (1, 2), (2, 4), (4, np.inf))
"""Voxels from the border of the reference, on either side."""


@dataclass(frozen=True)
class Lost:
    """What one case tells; all in fractions."""

    name: str
    dice: float
    volume_ratio: float
    """Predicted to true volume."""
    added: float
    """Share of the wrong voxels that lie outside the reference."""
    regions: Mapping[str, float]
    """Dice if every wrong voxel of a region were right, by region."""
    thresholds: tuple[float, ...]
    """Dice at each of `THRESHOLDS`."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--recipe", default="default")
    arguments = parser.parse_args()
    cases, references = Cases(arguments.cases), HeldOutLabels(arguments.cases)
    options = read_recipe(arguments.recipe).inference
    specialist = load_specialist(Checkpoint(arguments.checkpoint), options, torch.device("cpu"))
    found = []
    for name in sorted(set(cases.test) & set(references.names)):
        case = cases.read_unlabeled(name)
        reference = references.read(name).astype(np.uint8)
        truth = from_native_label(reference, case.geometry, 2) > 0
        found.append(account_for(name, specialist.predict(case.image)[1], truth))
    sys.stdout.write("\n".join(tables(found)) + "\n")


def account_for(name: str, probability: NDArray[np.float32], truth: Mask) -> Lost:
    """What one case tells: the probability of the object (I, J, K) beside its reference."""
    mask = cleaned(probability > 0.5)
    wrong = mask != truth
    return Lost(
        name,
        dice(mask, truth),
        float(mask.sum() / truth.sum()),
        float((mask & ~truth).sum() / max(1, wrong.sum())),
        {region: dice(mask ^ (wrong & where), truth) for region, where in regions(truth)},
        tuple(dice(cleaned(probability > threshold), truth) for threshold in THRESHOLDS),
    )


def regions(truth: Mask) -> Iterator[tuple[str, Mask]]:
    """Parts of the volume by name: bands about the border, and thirds of the object's box."""
    inside = ndimage.distance_transform_edt(truth)
    outside = ndimage.distance_transform_edt(~truth)
    distance = inside + outside  # a voxel beside the border has 1
    for low, high in BANDS:
        title = f"over {low}" if np.isinf(high) else f"{low} to {high}"
        yield f"{title} voxels from the border", (distance > low) & (distance <= high)
    places = np.indices(truth.shape)
    for axis, part in enumerate(ndimage.find_objects(truth.astype(np.int8))[0]):
        third = (part.stop - part.start) / 3
        yield f"first third of axis {axis}", places[axis] < part.start + third
        yield f"last third of axis {axis}", places[axis] >= part.stop - third


def cleaned(mask: Mask) -> Mask:
    """The largest component."""
    return largest_component(mask.astype(np.uint8), [1]) > 0


def tables(found: Sequence[Lost]) -> list[str]:
    """Three tables as Markdown, Dice in percent."""
    lines = ["| case | Dice | predicted / true volume | of the wrong voxels, outside |"]
    lines += ["|---|--:|--:|--:|"]
    lines += [
        f"| {one.name} | {100 * one.dice:.1f} | {one.volume_ratio:.2f} | {one.added:.2f} |"
        for one in found
    ]
    ours = np.mean([one.dice for one in found])
    volume, added = (np.mean([getattr(one, key) for one in found]) for key in _MEANS)
    lines += [f"| mean | {100 * ours:.1f} | {volume:.2f} | {added:.2f} |", ""]
    lines += ["| if these voxels were right | Dice | points |", "|---|--:|--:|"]
    for region in found[0].regions:
        would = np.mean([one.regions[region] for one in found])
        lines.append(f"| {region} | {100 * would:.1f} | {100 * (would - ours):+.1f} |")
    lines += ["", "| threshold | Dice |", "|---|--:|"]
    means = np.mean([one.thresholds for one in found], axis=0)
    lines += [f"| {t} | {100 * m:.1f} |" for t, m in zip(THRESHOLDS, means, strict=True)]
    return lines


_MEANS = ("volume_ratio", "added")


if __name__ == "__main__":
    main()
