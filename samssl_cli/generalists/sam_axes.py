"""Along which axes a volume is cut into pictures, and one answer from those of several axes.

A scan has three kinds of slices. Where voxels are near to cubes each kind is a picture of its own,
and an object that is vague in one is often plain in another.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from samssl_cli.generalists.sam_slices import AxisName, Slicing, slicing
from samssl_cli.volumes.grid import Spacing

AxesName = Literal["i", "j", "k", "auto", "all"]

_LARGEST_LOGIT = 80.0  # float32 still knows exp(-80)


def cuts(
    name: AxesName, shape: tuple[int, ...], spacing_mm: Spacing, *, max_anisotropy: float
) -> list[Slicing]:
    """How a volume (I, J, K) is cut: across one axis, or for "all" across each that shows enough.

    Across an axis with pixels many times longer than wide, SAM would see a few thick stripes. The
    axis with the squarest pixels always takes part.

    Args:
        name: of an axis, "auto" (see `slicing`) or "all".
        shape: of the volume.
        spacing_mm: voxel sizes.
        max_anisotropy: for "all", the largest ratio of a pixel's sides.
    """
    if name != "all":
        return [slicing(name, shape)]
    every: Sequence[AxisName] = ("i", "j", "k")
    found = [slicing(one, shape) for one in every]
    ratios = [max(aspect := pixel_aspect(cut, spacing_mm), 1 / aspect) for cut in found]
    limit = max(max_anisotropy, min(ratios))
    return [cut for cut, ratio in zip(found, ratios, strict=True) if ratio <= limit]


def pixel_aspect(cut: Slicing, spacing_mm: Spacing) -> float:
    """Height of a pixel over its width, to 1/1000: 1 for pixels that are square but for rounding.

    Examples: voxels of 1 x 1 x 3 mm cut across k give 1, across i or j 3.
    """
    first, second = cut.in_plane
    return max(round(spacing_mm[second] / spacing_mm[first], 3), 0.001)


def mean_answer(
    answers: Sequence[NDArray[np.float32]], looked: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float32]:
    """Average the answers of several axes, voxel by voxel; logits in, logits out.

    logit(mean p) = log(sum p) - log(sum (1 - p)) over the axes that looked at the voxel, which
    loses no digits at either end. An axis that was not asked about a voxel's slice says nothing of
    it. Where none looked, all say the same, and that is the answer.

    Probabilities are averaged, not logits, as over prompt sets (`fuse`). A logit has no bounds and
    its size differs from slice to slice, so the surest slice would decide.

    Args:
        answers: one of each axis, logits of the same shape; at least one.
        looked: for each, true where the axis was asked; of a shape that broadcasts to its answer's.
    """
    first = answers[0]
    inside, outside = np.zeros_like(first), np.zeros_like(first)
    for answer, here in zip(answers, looked, strict=True):
        logits = np.clip(answer, -_LARGEST_LOGIT, _LARGEST_LOGIT)
        inside += np.where(here, expit(logits), np.float32(0))
        outside += np.where(here, expit(-logits), np.float32(0))
    fused = first.copy()
    np.subtract(
        np.log(inside, where=inside > 0, out=np.zeros_like(first)),
        np.log(outside, where=outside > 0, out=np.zeros_like(first)),
        where=inside + outside > 0,
        out=fused,
    )
    return fused
