"""What `scout` makes of a specialist's masks, beside controls: the figures in docs/experiments.md.

    OMP_NUM_THREADS=1 python benchmarks/refinement.py cases.zarr specialist.zarr --recipe quick \
      [--weights scout.zarr]

Every held-out case that has a reference is predicted; the largest component of the prediction is
what `scout` is asked about, as a mask, as a box, by clicks, or as all of them, and once with the
box of the reference itself. All answers are reduced to their largest component. For one foreground
class. Printed are means of Dice in percent, paired differences to the specialist's own cleaned mask
with their standard error over the cases, and in how many cases an answer is better.

The references are read to be compared with, and for the box that nobody has; nothing is chosen.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.generalist import GeneralistWeights
from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.generalists.combine import dice
from samssl_cli.generalists.scout import Scout
from samssl_cli.inference.uncertainty import normalised_entropy
from samssl_cli.metrics.postprocess import blur_largest_component, largest_component
from samssl_cli.prompts.box import bounding_box
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import Recipe, read_recipe
from samssl_cli.stages.asking import place_prompts, seed_of_case
from samssl_cli.stages.specialist import load_specialist
from samssl_cli.volumes.geometry import from_native_label

Mask = NDArray[np.bool_]
Probability = NDArray[np.float32]

STRATEGIES = {
    "mask": ("mask",),
    "box": ("box",),
    "clicks": ("points",),
    "mask, box, clicks": ("mask", "box", "points"),
}


def main() -> None:
    """Print one table for the test cases and one for the unlabeled ones."""
    arguments = read_arguments()
    recipe = read_recipe(arguments.recipe)
    cases, references = Cases(arguments.cases), HeldOutLabels(arguments.cases)
    specialist = load_specialist(
        Checkpoint(arguments.checkpoint), recipe.inference, torch.device("cpu")
    )
    scout = load_scout(arguments.weights)
    for role, names in (("test", cases.test), ("unlabeled", cases.unlabeled)):
        rows = []
        for name in sorted(set(names) & set(references.names)):
            case = cases.read_unlabeled(name)
            reference = references.read(name).astype(np.uint8)
            truth = from_native_label(reference, case.geometry, 2) > 0
            rows.append(compare(case, specialist.predict(case.image), truth, scout, recipe))
        print_table(role, rows)


def read_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--weights", type=Path, help="scout.zarr; default: those in the package")
    return parser.parse_args()


def load_scout(weights: Path | None) -> Scout:
    """The shipped weights, or those of a `generalist.zarr`."""
    if weights is None:
        return Scout.build({}, checkpoint=None, device="cpu")
    scout = Scout.unfilled({}, device="cpu")
    scout.take_weights(GeneralistWeights(weights).tensors(), path=weights)
    return scout


def compare(
    case: UnlabeledCase, probability: Probability, truth: Mask, scout: Scout, recipe: Recipe
) -> dict[str, float]:
    """Dice in percent of every row for one case."""
    mask = cleaned(probability[1] > 0.5)
    own = np.where(mask, probability[1], np.minimum(probability[1], 0.4999)).astype(np.float32)
    embedding = scout.embed(case.image.astype(np.float32), case.geometry.spacing_mm)

    def answer(prompt: Prompt) -> Probability:
        return expit(scout.segment(embedding, [prompt]).logits[0])

    blurred = blur_largest_component(probability, recipe.evaluate.blur_sigma_voxels, [1]) > 0
    found = {"specialist": mask, "blur": blurred}
    for name, strategies in STRATEGIES.items():
        said = answer(first_prompt(own, strategies, recipe, seed_of_case(0, case.name)))
        found[name] = cleaned(said > 0.5)
        found[f"{name}; mean with specialist"] = cleaned((said + own) / 2 > 0.5)
    found["box of the reference"] = cleaned(answer(Prompt(box=bounding_box(truth, 0))) > 0.5)
    return {name: 100 * dice(one, truth) for name, one in found.items()}


def first_prompt(own: Probability, strategies: Sequence[str], recipe: Recipe, seed: int) -> Prompt:
    """What these strategies say, unperturbed, of the largest object."""
    options = recipe.prompt.model_copy(update={"strategies": tuple(strategies), "num_sets": 1})
    both = np.stack([1 - own, own])
    objects = place_prompts(both, normalised_entropy(both), options, seed=seed)
    return objects[0].sets[0] if objects else Prompt()


def cleaned(mask: Mask) -> Mask:
    """The largest component."""
    return largest_component(mask.astype(np.uint8), [1]) > 0


def print_table(role: str, rows: Sequence[dict[str, float]]) -> None:
    """Means, and differences to the specialist, as Markdown."""
    lines = ["", f"{len(rows)} {role} cases", "", "| | Dice | difference | better in |"]
    lines += ["|---|--:|--:|--:|"]
    for name in rows[0] if rows else ():
        dice_of = np.array([row[name] for row in rows])
        away = dice_of - np.array([row["specialist"] for row in rows])
        error = away.std(ddof=1) / np.sqrt(len(away)) if len(away) > 1 else float("nan")
        better = f"{int((away > 0).sum())}/{len(away)}"
        lines.append(
            f"| {name} | {dice_of.mean():.2f} | {away.mean():+.2f} ± {error:.2f} | {better} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
