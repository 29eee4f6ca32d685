"""A prompt strategy of your own: one click on the centre of mass of the object.

    python examples/your_own_strategy.py                                  # one object, by hand
    python examples/your_own_strategy.py prompt cases.zarr a.zarr -o p.zarr --strategy centre

With arguments this file is `samssl` with one more strategy. To keep it, move the function to
`samssl_cli/prompts/centre.py` and the row to the table in `samssl_cli/prompts/__init__.py`.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.cli import app
from samssl_cli.prompts import STRATEGIES
from samssl_cli.prompts.types import Points, Prompt
from samssl_cli.registry import Entry, load


def centre(
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    options: recipe.Prompt,
    rng: np.random.Generator,
) -> Prompt:
    """Click the voxel of the object that is nearest to its centre of mass.

    Shapes: probability and uncertainty (I, J, K) float32; no voxel of 0.5 and above, no click.
    """
    inside = np.argwhere(probability >= 0.5)
    if not len(inside):
        return Prompt()
    middle = np.average(inside, axis=0, weights=probability[tuple(inside.T)])
    nearest = np.linalg.norm(inside - middle, axis=1).argmin()
    return Prompt(points=Points(inside[nearest : nearest + 1], np.array([True])))


STRATEGIES["centre"] = Entry(
    f"{__name__}:centre",
    "one click at the centre of mass",
    "an example",
)


def one_object() -> Prompt:
    """Prompt for a box of 3 x 5 x 3 voxels in a volume of 9 x 9 x 9."""
    probability = np.zeros((9, 9, 9), np.float32)
    probability[2:5, 1:6, 4:7] = 0.9
    strategy = load(STRATEGIES, "centre", kind="strategy")
    prompt: Prompt = strategy(
        probability, np.zeros_like(probability), recipe.Prompt(), np.random.default_rng(0)
    )
    return prompt


if __name__ == "__main__":
    if len(sys.argv) > 1:
        app()
    else:
        print(one_object().points)
