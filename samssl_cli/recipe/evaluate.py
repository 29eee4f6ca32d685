"""The section of `evaluate`."""

from typing import Literal

from pydantic import Field

from samssl_cli.recipe.section import Positive, Section


class Evaluate(Section):
    """Which cases are scored, how predictions are cleaned first, and what stands beside them."""

    cases: Literal["test", "unlabeled", "held-out"] = Field(
        "test", description="held-out: every unlabeled or test case that has a reference"
    )
    blur_sigma_voxels: Positive = Field(1.5, description="of the blur + largest-component control")
    tolerance: Positive = Field(
        2.0, description="surfaces this close agree for nsd; in mm, or in voxels with in_voxels"
    )
    in_voxels: bool | None = Field(
        None,
        description="distances and volumes in voxels, as the literature on h5 data prints; left "
        "out: in voxels where the data knows no voxel size, else in mm and ml",
    )
    sanity: bool = Field(
        True,
        description="score beside it an image-blind template and, for a checkpoint, the generalist "
        "with its prompts and with prompts from the reference",
    )
    known_as: str = Field(
        "",
        description="the data set's name in the register of what generalists were trained on; "
        "empty: the name it has",
    )
