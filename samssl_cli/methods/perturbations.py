"""Random disturbances of an encoder's features: the PERTURBATIONS table."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Perturbation = Literal["noise", "drop", "dropout"]

LARGEST_NOISE = 0.3
DROPPED_FROM = (0.6, 0.9)
DROPOUT_RATE = 0.3


def feature_noise(features: Tensor) -> Tensor:
    """Scale every feature (B, C, I, J, K) by its own 1 + n, n uniform in -0.3 to 0.3.

    Source: Ouali et al., CVPR 2020, arXiv:2003.09005, F-Noise.
    """
    noise = torch.empty_like(features).uniform_(-LARGEST_NOISE, LARGEST_NOISE)
    return features + features * noise


def feature_drop(features: Tensor) -> Tensor:
    """Silence the most active voxels: those whose mean over the channels reaches a threshold.

    The threshold is the patch's largest mean times a number that is uniform in 0.6 to 0.9, drawn
    for each patch. (B, C, I, J, K); a patch whose largest mean is not above 0 stays as it is.
    Source: Ouali et al., CVPR 2020, arXiv:2003.09005, F-Drop.
    """
    activity = features.detach().mean(dim=1, keepdim=True)  # (B, 1, I, J, K)
    largest = activity.amax(dim=(1, 2, 3, 4), keepdim=True)
    share = torch.empty_like(largest).uniform_(*DROPPED_FROM)
    return features * ((activity < share * largest) | (largest <= 0))


def channel_dropout(features: Tensor) -> Tensor:
    """Silence each channel of (B, C, I, J, K) with probability 0.3, and scale the others up.

    Source: Ouali et al., CVPR 2020, arXiv:2003.09005, DropOut, with spatial dropout.
    """
    return functional.dropout3d(features, DROPOUT_RATE)


PERTURBATIONS: Mapping[Perturbation, Callable[[Tensor], Tensor]] = {
    "noise": feature_noise,
    "drop": feature_drop,
    "dropout": channel_dropout,
}
