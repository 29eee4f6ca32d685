"""Which voxels are judged by a gate that was fitted without them.

With two labeled cases or more, each case is a fold. One case is cut in two along the longest side
of the true object, and its simulated specialists into even and odd ones: a quarter is judged by a
gate that knows neither this half nor these specialists.
"""

import numpy as np
from numpy.typing import NDArray

from samssl_cli.gate.view import View
from samssl_cli.prompts.box import bounding_box

Groups = NDArray[np.int64]


def groups_of(view: View, *, case: int, num_cases: int) -> Groups:
    """The fold of each voxel of the window, (I, J, K); the view has a true object."""
    shape = view.mask.shape
    if num_cases > 1:
        return np.full(shape, case)
    assert view.truth is not None
    frame = bounding_box(view.truth, 0)
    sides = [high - low for low, high in zip(frame.low, frame.high, strict=True)]
    axis = int(np.argmax(sides))
    middle = frame.low[axis] + sides[axis] // 2
    half = np.asarray(np.indices(shape, sparse=True)[axis] >= middle, np.int64)
    return np.broadcast_to(2 * (view.draw % 2) + half, shape)


def folds_of(num_cases: int) -> range:
    """The numbers that `groups_of` gives."""
    return range(4 if num_cases == 1 else num_cases)


def is_learned_from(groups: Groups, fold: int, *, num_cases: int) -> NDArray[np.bool_]:
    """Which voxels the gate of a fold is fitted on."""
    learned: NDArray[np.bool_] = groups == 3 - fold if num_cases == 1 else groups != fold
    return learned
