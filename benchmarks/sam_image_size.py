"""What smaller pictures cost `sam` in agreement, and save in time.

    python -m benchmarks.sam_image_size cases.zarr prompts.zarr --checkpoint sam_vit_b.pth
      [--sizes 768 512 256] [--cases 4] [--device cuda] [--set preprocessing=medsam ...]

Every object of the first cases is asked about with all its prompt sets, once with pictures of the
size of the weights, then with each smaller size. Agreement is the Dice of the two masks of each
prompt, in percent; seconds are those of encoding and answering, without loading.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.generalists.combine import dice
from samssl_cli.generalists.sam import SegmentAnything

Masks = list[NDArray[np.bool_]]
"""Of every prompt of every object, (I, J, K) each."""


@dataclass(frozen=True)
class Asked:
    """What one size gave."""

    size: str
    seconds: float
    masks: Masks


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per size, and the whole as JSON with --json."""
    options = parser().parse_args(arguments)
    told = dict(one.split("=", 1) for one in options.set)
    rows = list(_rows(options, told))
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    for row in rows:
        sys.stdout.write(
            f"{row['size']:>8}: {row['seconds']:8.1f} s, {row['of_the_time']:.2f} of the time; "
            f"agreement {row['mean_dice']:.1f} %, least {row['least_dice']:.1f} %, of "
            f"{row['prompts']} prompts\n"
        )
    return 0


def parser() -> argparse.ArgumentParser:
    """The words that it takes."""
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    words.add_argument("cases", type=Path)
    words.add_argument("prompts", type=Path)
    words.add_argument("--checkpoint", type=Path, required=True)
    words.add_argument("--sizes", type=int, nargs="+", default=[768, 512, 256])
    words.add_argument("--cases", type=int, default=4, dest="num_cases")
    words.add_argument("--device", default="cpu")
    words.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    words.add_argument("--json", action="store_true")
    return words


def _rows(options: argparse.Namespace, told: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    usual = _ask(options, told, None)
    for found in (usual, *(_ask(options, told, size) for size in options.sizes)):
        agreement = [
            100 * dice(mask, other)
            for mask, other in zip(found.masks, usual.masks, strict=True)
            if mask.any() or other.any()
        ]
        yield {
            "size": found.size,
            "seconds": found.seconds,
            "of_the_time": found.seconds / usual.seconds,
            "mean_dice": fmean(agreement) if agreement else float("nan"),
            "least_dice": min(agreement, default=float("nan")),
            "prompts": len(agreement),
        }


def _ask(options: argparse.Namespace, told: Mapping[str, str], size: int | None) -> Asked:
    cases, prompts = Cases(options.cases), PromptSet(options.prompts)
    generalist = SegmentAnything.build(
        {**told, "image_size": size}, checkpoint=options.checkpoint, device=options.device
    )
    masks: Masks = []
    begin = time.perf_counter()
    for name in prompts.names[: options.num_cases]:
        case = cases.read_unlabeled(name)
        embedding = generalist.embed(case.image.astype(np.float32), case.geometry.spacing_mm)
        for one in prompts.objects(name):
            masks += list(generalist.segment(embedding, one.sets).logits > 0)
    shown = "weights'" if size is None else str(size)
    return Asked(shown, time.perf_counter() - begin, masks)


if __name__ == "__main__":
    raise SystemExit(main())
