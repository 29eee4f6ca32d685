"""Random smooth fields and rotations, the stuff that scenes and mistakes are made of."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

Shape = tuple[int, int, int]


def smooth_field(shape: Shape, knots: int, rng: np.random.Generator) -> Tensor:
    """Draw a field that varies over about 1 / `knots` of the volume.

    Returns:
        (I, J, K) float32 of mean about 0 and standard deviation about 1 half. Upsampled in two
        linear steps with a smoothing between, because one leaves kinks where the knots are.
    """
    return smooth_fields(1, shape, knots, rng)[0]


def smooth_fields(number: int, shape: Shape, knots: int, rng: np.random.Generator) -> Tensor:
    """Draw `number` independent smooth fields: (number, I, J, K) float32."""
    rough = rng.standard_normal((1, number, knots, knots, knots), np.float32)
    middle = [max(knots, n // 3) for n in shape]
    field = _enlarged(torch.from_numpy(rough), middle)
    field = functional.avg_pool3d(functional.pad(field, (1,) * 6, mode="replicate"), 3, 1)
    return _enlarged(field, list(shape))[0]


def voxel_positions(shape: Shape) -> Tensor:
    """(3, I, J, K) position of each voxel, measured in voxels from the volume's middle."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def warped(values: Tensor, displacement: Tensor) -> Tensor:
    """Read (C, I, J, K) at places displaced by (3, I, J, K) voxels; the border goes on."""
    shape = values.shape[1:]
    size = torch.tensor(shape, dtype=torch.float32).view(3, 1, 1, 1)
    places = voxel_positions((shape[0], shape[1], shape[2])) + displacement
    grid = (2 * places / (size - 1).clamp_min(1)).flip(0).movedim(0, -1)
    sampled = functional.grid_sample(
        values[None], grid[None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return sampled[0]


def lengths(vectors: Tensor) -> Tensor:
    """(3, I, J, K) to (I, J, K): torch's own norm over the first axis takes ten times as long."""
    x, y, z = vectors
    length: Tensor = (x * x + y * y + z * z).sqrt()
    return length


def random_rotation(rng: np.random.Generator) -> Tensor:
    """(3, 3) rotation, uniform over all."""
    return torch.from_numpy(Rotation.random(random_state=rng).as_matrix().astype(np.float32))


def random_direction(rng: np.random.Generator) -> Tensor:
    """(3,) unit vector, uniform over the sphere."""
    vector = rng.standard_normal(3, np.float32)
    return torch.from_numpy(vector / np.linalg.norm(vector))


def resized(values: Tensor, shape: Shape) -> Tensor:
    """Bring (C, I, J, K) to another number of voxels over the same extent, linearly."""
    return functional.interpolate(
        values[None], size=list(shape), mode="trilinear", align_corners=False
    )[0]


def _enlarged(values: Tensor, size: list[int]) -> Tensor:
    return functional.interpolate(values, size=size, mode="trilinear", align_corners=True)
