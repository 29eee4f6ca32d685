r"""A generalist of your own: whatever is as bright as the clicks.

    python examples/your_own_generalist.py                                  # one object, by hand
    python examples/your_own_generalist.py sam-label cases.zarr prompts.zarr -o p.zarr \
        --generalist brightness

With arguments this file is `samssl` with one more generalist. To keep it, move the class to
`samssl_cli/generalists/brightness.py` and the row to the table in its `__init__.py`.
A model with weights of its own says `needs_checkpoint=True` and reads the file in `build`; it alone
knows its model's axis order, input size, intensity range and threshold.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samssl_cli.cli import app
from samssl_cli.generalists import GENERALISTS, GeneralistEntry
from samssl_cli.generalists.types import Proposal
from samssl_cli.prompts.types import Points, Prompt
from samssl_cli.recipe import Positive, Section, validate
from samssl_cli.registry import load
from samssl_cli.volumes.grid import Spacing


class Brightness:
    """Call inside what differs from the clicked voxels by less than `tolerance`.

    logit(v) = tolerance - |image(v) - mean(image(positive clicks))|
    """

    needs_checkpoint: ClassVar[bool] = False

    class Options(Section):
        """`--set sam_label.options.brightness.tolerance=0.3`."""

        tolerance: Positive = Field(0.5, description="largest difference, in standard deviations")

    def __init__(self, options: Options) -> None:
        """Keep the options."""
        self.options = options

    @classmethod
    def build(
        cls, options: Mapping[str, Any], *, checkpoint: Path | None, device: str
    ) -> "Brightness":
        """Build it from `sam_label.options.brightness`."""
        return cls(validate(cls.Options, options, where="sam_label.options.brightness"))

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> NDArray[np.float32]:
        """Use the first channel of an image (C, I, J, K) as it is, whatever its voxel sizes."""
        return image[0]

    def segment(self, embedding: NDArray[np.float32], prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts with logits (S, I, J, K)."""
        logits = np.stack([self._answer(embedding, prompt.points) for prompt in prompts])
        return Proposal(logits, np.full(len(prompts), np.nan, np.float32))

    def _answer(self, image: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
        clicked = image[tuple(points.coordinates[points.is_positive].T)]
        if not clicked.size:
            return np.full_like(image, -1.0)
        logits: NDArray[np.float32] = self.options.tolerance - np.abs(image - clicked.mean())
        return logits.astype(np.float32)


GENERALISTS["brightness"] = GeneralistEntry(
    f"{__name__}:Brightness",
    "everything as bright as the clicks",
    "an example",
    needs_checkpoint=False,
)


def one_object() -> NDArray[np.bool_]:
    """Ask about a bright box of 4 x 4 x 4 voxels in a volume of 8 x 8 x 8."""
    image = np.zeros((1, 8, 8, 8), np.float32)
    image[0, 2:6, 2:6, 2:6] = 2.0
    click = Prompt(points=Points(np.array([[3, 3, 3]]), np.array([True])))
    build = load(GENERALISTS, "brightness", kind="generalist").build
    generalist = build({"tolerance": 0.3}, checkpoint=None, device="cpu")
    embedding = generalist.embed(image, (1.0, 1.0, 1.0))
    proposal: Proposal = generalist.segment(embedding, [click])
    return proposal.logits[0] > 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        app()
    else:
        print(f"{one_object().sum()} voxels inside")
