"""The signed distance to the surface of a mask, and back."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.distances import distance_to_false


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give how far each voxel centre is from the surface of a mask, as a share of the farthest.

    T_v = +d_v / max d outside, -d_v / max d inside

    Shapes: mask and result (I, J, K). Values: -1 to 1, without a unit: negative inside; d is in
    voxels along every axis alike, since a warped patch has no single spacing. An empty mask is 1
    everywhere, a full one -1: as far from any surface as there is.
    Source: Luo et al., AAAI 2021, arXiv:2009.04448, and its published code for the scale.
    Differs: the surface runs between two voxels (d starts at 1/2), so that no voxel is at 0, where
    the way back would say 1/2; published code gives 0 to a mask that is empty.
    """
    if mask.all() or not mask.any():
        return np.full(mask.shape, -1.0 if mask.all() else 1.0, np.float32)
    distance = np.empty(mask.shape, np.float32)
    for part, sign in ((~mask, 1.0), (mask, -1.0)):
        depth = distance_to_false(part)[part] - 0.5
        distance[part] = sign * depth / depth.max()
    return distance


def signed_distances(label: Tensor, num_classes: int) -> Tensor:
    """`signed_distance` of each class: labels (B, I, J, K) to (B, classes, I, J, K) float32.

    Computed on the CPU: about 0.2 s a class for a patch of 96 x 96 x 96 on one core. Of two
    classes one is computed, since each is as far inside as the other is outside.
    """
    maps = label.cpu().numpy()
    rest = [[signed_distance(one == number) for number in range(1, num_classes)] for one in maps]
    foreground = torch.from_numpy(np.array(rest, np.float32))  # (B, classes - 1, I, J, K)
    if num_classes == 2:
        background = -foreground
    else:
        found = np.array([[signed_distance(one == 0)] for one in maps], np.float32)
        background = torch.from_numpy(found)
    return torch.cat([background, foreground], dim=1).to(label.device)


def to_probability(distance: Tensor, steepness: float) -> Tensor:
    """Turn signed distances into probabilities: sigmoid(-steepness * T).

    Source: Luo et al., AAAI 2021, arXiv:2009.04448, where the steepness is k.
    """
    return torch.sigmoid(-steepness * distance)
