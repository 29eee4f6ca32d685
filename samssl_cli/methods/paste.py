"""Copy and paste between patches, and the largest piece of each class."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from samssl_cli.methods.strong import Box
from samssl_cli.prompts.components import NEIGHBOURS_26


def box_mask(shape: Sequence[int], box: Box, like: Tensor) -> Tensor:
    """(I, J, K): 0 in the box and 1 around it, of the type and on the device of `like`."""
    mask = torch.ones(*shape, dtype=like.dtype, device=like.device)
    mask[box] = 0
    return mask


def paste(around: Tensor, inside: Tensor, mask: Tensor) -> Tensor:
    """Take `around` where the mask (I, J, K) is 1, and `inside` where it is 0."""
    return torch.where(mask.bool(), around, inside)


def largest_pieces(label: Tensor, num_classes: int) -> Tensor:
    """Keep the largest connected component of each foreground class in each patch.

    Shapes: (B, I, J, K) int64 to the same; what goes becomes background. Voxels that share a corner
    are connected. Computed on the CPU.
    """
    maps = label.cpu().numpy()
    kept = np.zeros_like(maps)
    for patch, out in zip(maps, kept, strict=True):
        for class_index in range(1, num_classes):
            out[_largest(patch == class_index)] = class_index
    return torch.from_numpy(kept).to(label.device)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest component of a mask, the first of equals; nothing of nothing."""
    numbers, _ = ndimage.label(mask, NEIGHBOURS_26)
    sizes = np.bincount(numbers.ravel())[1:]  # number 0 is everything else
    return numbers == sizes.argmax() + 1 if sizes.size else mask
