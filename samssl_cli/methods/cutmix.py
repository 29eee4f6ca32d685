"""Boxes of one patch pasted into another."""

import torch
from torch import Tensor


def random_boxes(num: int, size: tuple[int, int, int]) -> Tensor:
    """Draw a box for each of `num` patches: (num, I, J, K) bool, True inside.

    The sides are the patch's times sqrt(1 - l), one l of Beta(4, 4) for all; the centre is uniform
    from an eighth of each side on, and what sticks out is cut off.
    Source: Zhao et al., ECCV 2024, arXiv:2311.17325, the published code of AD-MT.
    """
    ratio = float((1 - torch.distributions.Beta(4.0, 4.0).sample()).sqrt())
    inside = torch.ones(num, *size, dtype=torch.bool)
    for axis, side in enumerate(size):
        centre = torch.randint(side // 8, side, (num, 1))
        half = int(side * ratio) // 2
        place = torch.arange(side)[None]  # (1, side)
        within = (place >= centre - half) & (place < centre + half)  # (num, side)
        shape = [num, 1, 1, 1]
        shape[axis + 1] = side
        inside &= within.view(shape)
    return inside


def pasted(patches: Tensor, boxes: Tensor, order: Tensor) -> Tensor:
    """Put into the box of each patch what patch `order[n]` has there.

    Shapes: patches (B, ..., I, J, K) with any channels between; boxes (B, I, J, K) bool; order (B,)
    indices of patches.
    """
    between = patches.ndim - boxes.ndim
    where = boxes.view(len(boxes), *[1] * between, *boxes.shape[1:])
    return torch.where(where, patches[order], patches)
