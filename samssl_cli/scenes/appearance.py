"""How a scene looks to a scanner: tissues, texture, blur, bias, anisotropy, noise."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from samssl_cli.scenes.anatomy import Structure
from samssl_cli.scenes.fields import Shape, resized, smooth_field, smooth_fields

_NEARBY_VOXELS = 5.0  # how far the surroundings of a structure reach
_TELLING = 0.15  # a difference of levels that shows


def draw_image(structures: Sequence[Structure], shape: Shape, rng: np.random.Generator) -> Tensor:
    """Give the structures intensities and measure them on a grid of `shape`: (I, J, K) float32.

    The structures may have been drawn on a coarser grid. Few levels are shared by many tissues, so
    that neighbours are often told apart by shape alone, or not at all. Standardised.
    """
    levels = rng.uniform(0, 1, int(rng.integers(2, 7)))
    tissues = _background(shape, levels, rng)
    if rng.random() < 0.4:  # mostly one tissue, as cavities that all hold blood
        levels = np.append(levels, np.full(2 * len(levels), levels[0]))
    for structure in structures:
        tissues = _painted(tissues, structure, shape, levels, rng)
    image = _textured(tissues, rng)
    if rng.random() < 0.3:
        image = _levelled(image, rng.uniform(0.4, 1.0), rng)
    return _standardised(_measured(image, rng))


def _background(shape: Shape, levels: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Regions where one of several smooth fields is the largest."""
    number = int(rng.integers(1, 6))
    fields = smooth_fields(number, shape, int(rng.integers(3, 14)), rng)
    highest, tissues = fields[0], torch.zeros(shape)
    for field, tissue in zip(fields, _tissue(number, levels, rng), strict=True):
        tissues = torch.where(field >= highest, float(tissue), tissues)
        highest = torch.maximum(highest, field)
    return tissues


def _tissue(number: int, levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.choice(levels, number) + rng.normal(0, 0.04, number)
    return np.asarray(drawn, np.float32)


def _painted(
    tissues: Tensor,
    structure: Structure,
    shape: Shape,
    levels: np.ndarray,
    rng: np.random.Generator,
) -> Tensor:
    """Fill a structure and what continues it; put a wall around it where nothing else tells."""
    drawn = structure.depth.shape
    depth, beyond = resized(torch.stack([structure.depth, structure.beyond]), shape) * (
        shape[0] / drawn[0]
    )
    inside, behind = (float(v) for v in _tissue(2, levels, rng))
    near = tissues[(depth < 0) & (depth > -_NEARBY_VOXELS)]
    if rng.random() < 0.75:
        inside = _told_apart(inside, near, levels, rng)
    if rng.random() < 0.7:
        behind = inside + float(rng.normal(0, 0.03))
    if rng.random() < min(0.9, 0.2 + _alike(near, inside)):
        around, thickness = _contrasting(inside, rng), structure.wall_voxels
        shell = torch.maximum(depth, beyond) > -thickness
        if rng.random() < 0.3:  # a wall with gaps
            shell &= smooth_field(shape, 6, rng) > -0.3
        tissues = torch.where(shell, around, tissues)
        if rng.random() < 0.5:  # a valve
            beyond = torch.where(depth > -thickness, torch.full_like(beyond, -1.0), beyond)
            tissues = torch.where((depth > -thickness) & (depth <= 0), around, tissues)
    tissues = torch.where(beyond > 0, behind, tissues)
    return torch.where(depth > 0, inside, tissues)


def _told_apart(inside: float, near: Tensor, levels: np.ndarray, rng: np.random.Generator) -> float:
    """A level that differs from half of what lies around, if a few tries find one."""
    for _ in range(8):
        if _alike(near, inside) < 0.5:
            break
        inside = float(rng.choice(levels) if rng.random() < 0.5 else rng.uniform(0, 1))
    return inside


def _alike(near: Tensor, inside: float) -> float:
    """Which part of the surroundings has about this level."""
    return float(((near - inside).abs() < _TELLING).float().mean()) if len(near) else 0.0


def _contrasting(inside: float, rng: np.random.Generator) -> float:
    """A level for a wall, mostly a darker one."""
    away = float(rng.uniform(0.2, 0.7))
    return inside - away if rng.random() < 0.7 else inside + away


def _textured(image: Tensor, rng: np.random.Generator) -> Tensor:
    shape: Shape = (image.shape[0], image.shape[1], image.shape[2])
    if rng.random() < 0.6:
        image = image + rng.uniform(0, 0.12) * smooth_field(shape, int(rng.integers(8, 24)), rng)
    if rng.random() < 0.5:
        image = image + rng.uniform(0, 0.15) * smooth_field(shape, int(rng.integers(3, 8)), rng)
    return image


def _levelled(image: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Take away a share of what varies slowly: borders still show, no histogram tells them."""
    shape: Shape = (image.shape[0], image.shape[1], image.shape[2])
    cells = int(rng.integers(5, 13))
    means = functional.adaptive_avg_pool3d(image[None, None], (cells, cells, cells))
    return image - share * resized(means[0], shape)[0]


def _measured(image: Tensor, rng: np.random.Generator) -> Tensor:
    shape: Shape = (image.shape[0], image.shape[1], image.shape[2])
    if rng.random() < 0.6:
        knots = int(rng.integers(3, 5))
        image = image * torch.exp(rng.uniform(0, 0.7) * smooth_field(shape, knots, rng))
    image = _blurred(image, rng.uniform(0.3, 1.2))
    noise_std = rng.uniform(0, 0.3) ** 1.4
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    noise = torch.randn((2, *shape), generator=generator) * noise_std
    if rng.random() < 0.4:  # of neighbouring voxels, as interpolation leaves it
        noise = 1.8 * torch.stack([_blurred(n, 0.7) for n in noise])
    image = image + noise[0]
    if rng.random() < 0.3:
        image = torch.hypot(image, noise[1])
    if rng.random() < 0.5:
        image = _with_thick_slices(image, int(rng.integers(3)), rng.uniform(1.5, 4.5))
    return _bent(image, 2 ** rng.uniform(-0.7, 0.7)) if rng.random() < 0.4 else image


def _blurred(image: Tensor, sigma_voxels: float) -> Tensor:
    """Smooth with a binomial-like kernel of five voxels along each axis."""
    offsets = torch.arange(-2, 3, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2 * sigma_voxels**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 5, 1, 1)
    values = image[None, None]
    for _ in range(3):
        padded = functional.pad(values, (0, 0, 0, 0, 2, 2), mode="replicate")
        values = functional.conv3d(padded, kernel).permute(0, 1, 3, 4, 2)
    return values[0, 0]


def _with_thick_slices(image: Tensor, axis: int, factor: float) -> Tensor:
    shape: Shape = (image.shape[0], image.shape[1], image.shape[2])
    i, j, k = (max(4, round(n / factor)) if a == axis else n for a, n in enumerate(shape))
    thick = functional.adaptive_avg_pool3d(image[None, None], (i, j, k))
    return resized(thick[0], shape)[0]


def _bent(image: Tensor, gamma: float) -> Tensor:
    low, high = image.min(), image.max()
    extent = (high - low).clamp_min(1e-6)
    return ((image - low) / extent) ** gamma * extent + low


def _standardised(image: Tensor) -> Tensor:
    return (image - image.mean()) / image.std().clamp_min(1e-6)
