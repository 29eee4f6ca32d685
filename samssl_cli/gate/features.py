"""What the gate goes by, voxel by voxel.

Every feature but the intercept is evidence *for* the object, and its weight is never negative: an
answer is trusted more or less, and never read backwards.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import entr

from samssl_cli.gate.view import Mask, Probability, View
from samssl_cli.volumes.grid import Spacing

OF_SPECIALIST = ("specialist", "specialist where sure", "depth")
OF_GENERALIST = ("answer", "answer where firm", "answer that agrees", "answer that promises")

_LARGEST_LOGIT = 6.0  # probabilities are kept in half precision, which ends soon after
_LARGEST_DEPTH = 2.0  # in half-widths
_BAND = 0.5  # half-widths: about this far from the border an outline is in doubt
_LEAST_BAND_VOXELS = 2


def features(view: View) -> NDArray[np.float32]:
    """Give (3 + 4 G, I, J, K): three of the specialist, then four of each generalist.

    With s and g the logits of specialist and generalist, clipped to 6:
    s, s * (1 - entropy), depth below the specialist's border in half-widths, clipped to 2;
    g, g * (1 - 2 std over the prompt sets), g * Dice with the specialist, g * predicted IoU, the
    last 0 where a generalist cannot say.
    """
    own = _logit(view.specialist)
    found = [own, own * (1 - entropy(view.specialist)), _clipped_depth(view)]
    agreements = view.agreements.astype(np.float32)
    promised = np.nan_to_num(view.predicted_iou, nan=0.0)
    for index, probability in enumerate(view.said):
        answer = _logit(probability)
        firm = 1 - 2 * view.disagreement[index].clip(0, 0.5)
        found += [answer, answer * firm, answer * agreements[index], answer * promised[index]]
    return np.stack(found).astype(np.float32)


def depth(mask: Mask, spacing_mm: Spacing) -> Probability:
    """Distance below the border of a mask (I, J, K), negative outside, in its half-widths.

    The half-width is twice the mean depth, as in `prompts.perturb`; the border of the volume counts
    as outside. The mask is not empty.
    """
    inside = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    half_voxel = float(np.mean(spacing_mm)) / 2
    signed = np.where(mask, inside - half_voxel, half_voxel - outside)
    half_width = max(2 * float(signed[mask].mean()), half_voxel)
    return np.asarray(signed / half_width, np.float32)


def band(mask: Mask, deep: Probability) -> Mask:
    """The surroundings of a border: within half a half-width, and two voxels at least.

    Args:
        mask: (I, J, K).
        deep: its `depth`.
    """
    near = ndimage.binary_dilation(mask, iterations=_LEAST_BAND_VOXELS)
    near &= ~ndimage.binary_erosion(mask, iterations=_LEAST_BAND_VOXELS)
    surroundings: Mask = near | (np.abs(deep) <= _BAND)
    return surroundings


def contested(view: View) -> Mask:
    """The voxels that decide: around the specialist's border, and where an answer contradicts."""
    differs = ((view.said > 0.5) != view.mask).any(axis=0)
    where: Mask = differs | band(view.mask, depth(view.mask, view.spacing_mm))
    return where


def softness(probability: Probability, mask: Mask, spacing_mm: Spacing) -> float:
    """Mean entropy, 0-1, around the border of an object: how blurred a specialist's outline is."""
    where = band(mask, depth(mask, spacing_mm))
    return float(entropy(probability[where]).mean())


def entropy(probability: Probability) -> Probability:
    """Of the object against everything else, in bits, 0-1."""
    both: Probability = (entr(probability) + entr(1 - probability)) / np.float32(np.log(2))
    return both


def _logit(probability: Probability) -> Probability:
    least = 1 / (1 + np.exp(_LARGEST_LOGIT))
    inside = probability.clip(least, 1 - least)
    return np.asarray(np.log(inside / (1 - inside)), np.float32)


def _clipped_depth(view: View) -> Probability:
    return depth(view.mask, view.spacing_mm).clip(-_LARGEST_DEPTH, _LARGEST_DEPTH)
