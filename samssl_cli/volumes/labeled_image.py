"""A labeled case as arrays, for parts that may see nothing else of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.voxels import Image


@dataclass(frozen=True)
class LabeledImage:
    """A labeled case, preprocessed."""

    name: str
    image: Image
    """(C, I, J, K) float32."""
    label: NDArray[np.uint8]
    """(I, J, K)."""
    spacing_mm: Spacing
