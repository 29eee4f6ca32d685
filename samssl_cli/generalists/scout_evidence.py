"""What `scout` is told of intensities: how much each voxel resembles what the prompt points at.

A convolution sees a few voxels at a time and would have to learn first what a histogram says at
once. Without it, a training of 4500 steps ended with answers to a mask that were about as good for
an image of noise: docs/experiments.md.
"""

import torch
from torch import Tensor
from torch.nn import functional

_REACH = 4.0  # standard deviations on both sides of the mean that the histograms tell apart
_BINS = 48
_SMOOTHING = 2.0  # bins
_LEAST_SPREAD = 0.15  # standard deviations of the view: what is pointed at may be uniform
_FEWEST = 8  # grid points that say what something looks like


def pointed_at(
    mask: Tensor | None, inside: Tensor | None, box: Tensor | None, shape: tuple[int, ...]
) -> Tensor:
    """Where the prompt is surest to show the object: (*shape) bool, never empty.

    The mask; without one, around the clicks inside; without these, the middle of the box.

    Args:
        mask: (*shape) in 0-1.
        inside: (*shape) a Gaussian at each click inside.
        box: (*shape) 1 in the middle half of the box.
        shape: of the view.
    """
    for said, least in ((mask, 0.5), (inside, 0.3), (box, 0.5)):
        if said is not None and int((said > least).sum()) >= _FEWEST:
            return said > least
    return torch.ones(shape, dtype=torch.bool)


def standardised(image: Tensor, where: Tensor) -> Tensor:
    """The image (I, J, K) with mean 0 and spread 1 over `where`."""
    overall = image.std().clamp_min(1e-6)
    spread = torch.maximum(image[where].std(), _LEAST_SPREAD * overall)
    return (image - image[where].mean()) / spread


def likeness(image: Tensor, where: Tensor) -> Tensor:
    """Half the logarithm of how much likelier an intensity is in `where` than elsewhere.

    The image is averaged over 3 x 3 x 3 voxels first. Dark and bright exchanged, it is the same.

    Shapes: image (I, J, K), where (I, J, K) bool; gives (I, J, K) from -1.5 to 1.5, and 0
    everywhere when there is no elsewhere.
    """
    if bool(where.all()):
        return torch.zeros_like(image)
    padded = functional.pad(image[None, None], (1,) * 6, mode="replicate")
    smooth = functional.avg_pool3d(padded, 3, 1)[0, 0]
    standard = (smooth - image.mean()) / image.std().clamp_min(1e-6)
    bins = ((standard.clamp(-_REACH, _REACH) + _REACH) / (2 * _REACH) * (_BINS - 1)).round().long()
    ratio = torch.log(_histogram(bins[where]) / _histogram(bins[~where])).clamp(-3, 3) / 2
    return ratio[bins]


def _histogram(bins: Tensor) -> Tensor:
    """The smoothed share of each bin, none of them 0: (N,) to (_BINS,)."""
    counts = torch.bincount(bins, minlength=_BINS).float()
    offsets = torch.arange(-6, 7, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2 * _SMOOTHING**2))
    counts = functional.conv1d(counts[None, None], (kernel / kernel.sum())[None, None], padding=6)
    shares: Tensor = counts[0, 0] / counts.sum().clamp_min(1) + 1e-3
    return shares
