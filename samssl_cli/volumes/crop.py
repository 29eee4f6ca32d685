"""The part of a volume that is worth keeping. It never looks at a label."""

import numpy as np

from samssl_cli.volumes.grid import Index
from samssl_cli.volumes.voxels import Image


def nonzero_box(image: Image) -> tuple[Index, Index]:
    """The smallest box outside of which all channels of (C, I, J, K) are zero.

    Low inclusive, high exclusive. The whole volume when the image is zero everywhere.
    """
    occupied = np.any(image != 0, axis=0)  # (I, J, K)
    if not occupied.any():
        i, j, k = occupied.shape
        return (0, 0, 0), (i, j, k)
    spans = [np.flatnonzero(occupied.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    (a, d), (b, e), (c, f) = ((int(span[0]), int(span[-1]) + 1) for span in spans)
    return (a, b, c), (d, e, f)
