"""Along which axes a volume is cut into pictures, and one answer from those of several axes.

A scan has three kinds of slices. Where voxels are near to cubes each kind is a picture of its own,
and an object that is vague in one is often plain in another.
"""

from collections.abc import Iterable, Sequence
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


def mean_answer(answers: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Average the answers of several axes, voxel by voxel; logits in, logits out.

    logit(mean p) = log(sum p) - log(sum (1 - p)), which loses no digits at either end

    Probabilities are averaged, not logits, as over prompt sets (`fuse`), so that the mean over both
    is the mean of all answers. A logit has no bounds and its size differs from slice to slice; and
    where an axis was not asked the logit is -20, which in a mean of logits would be a veto. As a
    probability it is one vote for outside: beyond the slices of one axis the other two have to be
    sure, and where a single axis was asked the answer is outside.

    Args:
        answers: logits of any shape, the same for all; at least one.
    """
    first, *others = (np.clip(answer, -_LARGEST_LOGIT, _LARGEST_LOGIT) for answer in answers)
    inside, outside = expit(first), expit(-first)
    for logits in others:
        inside += expit(logits)
        outside += expit(-logits)
    return np.asarray(np.log(inside) - np.log(outside), np.float32)
