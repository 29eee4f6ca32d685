"""One object as the specialist and the generalists see it, in a window around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli.generalists.combine import dice
from samssl_cli.generalists.fuse import Fused
from samssl_cli.prompts.box import bounding_box
from samssl_cli.prompts.build import own_probability
from samssl_cli.prompts.components import NEIGHBOURS_26
from samssl_cli.prompts.types import Box, ObjectPrompts
from samssl_cli.volumes.grid import Spacing

Mask = NDArray[np.bool_]
Probability = NDArray[np.float32]

_MARGIN_VOXELS = 4  # about everything that anybody calls the object


@dataclass(frozen=True)
class View:
    """What is known of one object; all volumes are (I, J, K) voxels of the window."""

    class_index: int
    component: int
    """1 is the largest component of the class."""
    window: Box
    """Where the volumes lie in the case."""
    spacing_mm: Spacing
    specialist: Probability
    """Of this object against its strongest rival, at least 0.5 exactly on `mask`."""
    mask: Mask
    """The object, as the specialist sees it."""
    said: Probability
    """(G, I, J, K) probability of each of G generalists, the mean over its prompt sets."""
    disagreement: Probability
    """(G, I, J, K) standard deviation over the prompt sets."""
    predicted_iou: NDArray[np.float32]
    """(G,) NaN where a generalist cannot say."""
    truth: Mask | None = None
    """The object of a labeled case; None for an unlabeled one."""
    draw: int = 0
    """Number of the simulated specialist."""

    @property
    def volume_mm3(self) -> float:
        """The size of the object, as the specialist sees it."""
        return int(self.mask.sum()) * float(np.prod(self.spacing_mm))

    @property
    def agreements(self) -> NDArray[np.float64]:
        """(G,) Dice of each generalist's mask with the specialist's, 0-1."""
        return np.array([dice(said > 0.5, self.mask) for said in self.said], np.float64)


def look(
    prompted: ObjectPrompts,
    answers: Sequence[Fused],
    probability: Probability,
    spacing_mm: Spacing,
    *,
    label: NDArray[np.uint8] | None = None,
    draw: int = 0,
) -> View:
    """Cut out what everybody says of one object.

    Probabilities are rounded to float16, so that a view is the same before and after it is stored.

    Args:
        prompted: the object.
        answers: one of each generalist, on the whole volume.
        probability: (classes, I, J, K) the specialist's.
        spacing_mm: voxel sizes.
        label: (I, J, K) of a labeled case; then the window also holds the true object.
        draw: number of the simulated specialist.
    """
    truth = None if label is None else true_object(label == prompted.class_index, prompted.mask)
    named = prompted.mask if truth is None else prompted.mask | truth
    named = np.logical_or.reduce([named, *(answer.probability > 0.5 for answer in answers)])
    window = bounding_box(named, _MARGIN_VOXELS)
    here = window.slices
    own = own_probability(probability[:, *here], prompted.class_index, prompted.mask[here])
    return View(
        class_index=prompted.class_index,
        component=prompted.component,
        window=window,
        spacing_mm=spacing_mm,
        specialist=_rounded(own),
        mask=prompted.mask[here],
        said=_rounded(np.stack([answer.probability[here] for answer in answers])),
        disagreement=_rounded(np.stack([answer.disagreement[here] for answer in answers])),
        predicted_iou=np.array([answer.predicted_iou for answer in answers], np.float32),
        truth=None if truth is None else truth[here],
        draw=draw,
    )


def true_object(truth: Mask, mask: Mask) -> Mask:
    """The components of a true mask (I, J, K) that a predicted object touches; possibly none."""
    numbers, _ = ndimage.label(truth, NEIGHBOURS_26)
    met = np.unique(numbers[mask])
    touched: Mask = np.isin(numbers, met[met > 0])
    return touched


def _rounded(values: NDArray[np.floating]) -> Probability:
    return values.astype(np.float16).astype(np.float32)
