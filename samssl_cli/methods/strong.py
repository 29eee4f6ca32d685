"""Strong changes of an image that leave every voxel where it is: drawn first, applied afterwards.

They come on top of the recipe's augmentation and use torch's random numbers, which the training
loop seeds by the step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Box = tuple[slice, slice, slice]

_KNOTS = 4  # control points of the drift per axis


@dataclass(frozen=True)
class StrongChange:
    """One draw for a batch of B patches."""

    contrast: Tensor
    """(B, 1, 1, 1, 1) factors around the patch's mean."""
    brightness: Tensor
    """(B, 1, 1, 1, 1), in standard deviations of the volume."""
    drift: Tensor
    """(B, 1, 4, 4, 4) knots of the logarithm of a smooth factor."""
    noise: Tensor
    """(B, C, I, J, K), to be added."""


def draw_strong(image: Tensor, magnitude: float) -> StrongChange:
    """Draw a change for patches (B, C, I, J, K); the magnitude, 0-1, scales all parts of it."""
    size = (len(image), 1, 1, 1, 1)
    return StrongChange(
        contrast=1 + 0.7 * magnitude * _spread(*size).to(image),
        brightness=0.7 * magnitude * _spread(*size).to(image),
        drift=0.5 * magnitude * _spread(len(image), 1, _KNOTS, _KNOTS, _KNOTS).to(image),
        noise=0.3 * magnitude * torch.rand(size).to(image) * torch.randn_like(image),
    )


def change_strongly(image: Tensor, change: StrongChange) -> Tensor:
    """Apply a change to patches (B, C, I, J, K) of z-scored intensities."""
    size = list(image.shape[2:])
    drift = functional.interpolate(change.drift, size=size, mode="trilinear", align_corners=True)
    mean = image.mean(dim=(2, 3, 4), keepdim=True)
    changed = (image * drift.exp() - mean) * change.contrast + mean
    return changed + change.brightness + change.noise


def draw_box(shape: Sequence[int], fraction: float) -> Box:
    """Place a box with sides of `fraction` of the volume's, at random inside of it."""
    sides = [round(fraction * side) for side in shape]
    lows = [int(torch.randint(n - side + 1, ())) for n, side in zip(shape, sides, strict=True)]
    i, j, k = (slice(low, low + side) for low, side in zip(lows, sides, strict=True))
    return i, j, k


def visible(image: Tensor, boxes: Sequence[Box]) -> Tensor:
    """1 everywhere but in each patch's own box, where it is 0: (B, I, J, K) like the image."""
    shown = torch.ones_like(image[:, 0])
    for patch, box in zip(shown, boxes, strict=True):
        patch[box] = 0
    return shown


def _spread(*size: int) -> Tensor:
    """Uniform in -1 … 1, from the CPU's random numbers: the same on every device."""
    return 2 * torch.rand(size) - 1
