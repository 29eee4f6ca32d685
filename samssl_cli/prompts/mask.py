"""The strategy `mask`: hand the specialist's mask to the generalist."""

import numpy as np
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.prompts.types import Prompt


def mask(
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    options: recipe.Prompt,
    rng: np.random.Generator,
) -> Prompt:
    """Give the voxels that more likely than not belong to the object.

    Shapes: probability and uncertainty (I, J, K) float32; the mask is (I, J, K) bool.
    Source: SemiSAM+, Zhang et al., arXiv:2502.20749 (mask prompt).
    Differs: a mask of the object. The released code hands over the background channel, and a
        probability map where the generalist was trained with something else; the conversion to what
        a model wants is the generalist's own business.
    """
    inside = probability >= 0.5
    return Prompt(mask=inside) if inside.any() else Prompt()
