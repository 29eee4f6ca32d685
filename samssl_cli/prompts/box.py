"""The strategy `box`: frame the specialist's mask."""

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.prompts.types import Box, Prompt


def box(
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    options: recipe.Prompt,
    rng: np.random.Generator,
) -> Prompt:
    """Give the bounding box of the object, `box_margin_voxels` larger on every side.

    Shapes: probability and uncertainty (I, J, K) float32. The box never leaves the volume.
    Source: Segment Anything, Kirillov et al., ICCV 2023, arXiv:2304.02643 (box prompt).
    """
    inside = probability >= 0.5
    return Prompt(box=bounding_box(inside, options.box_margin_voxels)) if inside.any() else Prompt()


def bounding_box(mask: NDArray[np.bool_], margin_voxels: int) -> Box:
    """Frame a mask (I, J, K) that is not empty, with a margin that ends at the volume's border."""
    (frame,) = scipy.ndimage.find_objects(mask.astype(np.uint8))
    assert frame is not None, "the mask is empty"
    low = [max(0, side.start - margin_voxels) for side in frame]
    high = [min(n, s.stop + margin_voxels) for n, s in zip(mask.shape, frame, strict=True)]
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
