"""What a specialist with too few labels would have said: a probability that is wrong in places.

Missing parts, leaks along what looks alike, shifts, over- and under-size, islands, ragged borders,
and patches that are right between patches that are wrong. More is added than is missing, as a
specialist errs that saw the organ once. Source: ours.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from samssl_cli.scenes.fields import (
    Shape,
    lengths,
    random_direction,
    smooth_field,
    smooth_fields,
    voxel_positions,
    warped,
)

_OFFSET = (0.22, 0.25)  # mean and standard deviation of what is added everywhere
_LAPSES, _LEAKY = (-2.0, 1.5), 0.65  # dropped or leaked into; how often the latter


def draw_mistaken(
    depth: Tensor, image: Tensor, severity: float, rng: np.random.Generator
) -> Tensor:
    """Draw a specialist's probability for the object that `depth` describes.

    evidence(x) = depth / half-width, warped, plus offsets over several scales down to single
    voxels, plus the pull of what resembles the object, less what is dropped, plus what is leaked
    into; where a smooth field is high it is the truth instead. The probability is its sigmoid, soft
    or hard.

    Args:
        depth: (I, J, K) about the distance to the surface in voxels, positive inside, not all < 0.
        image: (I, J, K) on the same grid.
        severity: 0 is the truth, 1 about the worst that is still worth prompting with.
        rng: the source of everything random.

    Returns:
        (I, J, K) float32 in 0-1.
    """
    shape: Shape = (depth.shape[0], depth.shape[1], depth.shape[2])
    width = float(2 * depth[depth > 0].mean().clamp_min(0.5))
    truth = depth / width
    evidence = _displaced(truth, width, severity, rng)
    for knots, most in ((2, 0.35), (4, 0.45), (7, 0.35), (12, 0.25)):
        evidence = evidence + severity * rng.uniform(0, most) * smooth_field(shape, knots, rng)
    evidence = evidence + severity * rng.normal(*_OFFSET)
    if rng.random() < 0.5:
        evidence = evidence + severity * rng.uniform(0, 0.5) * _ragged(shape, rng)
    if rng.random() < 0.7:
        reach = torch.exp(-((truth / rng.uniform(0.5, 1.5)) ** 2))
        evidence = evidence + severity * rng.uniform(0, 1.2) * reach * _likeness(image, depth, rng)
    for _ in range(int(rng.integers(0, 3))):
        evidence = evidence + severity * _lapse(truth, width, rng)
    if rng.random() < 0.5:
        patches = torch.sigmoid(8 * (smooth_field(shape, int(rng.integers(2, 5)), rng) - 0.1))
        evidence = torch.lerp(evidence, truth, patches)
    return torch.sigmoid(evidence * float(np.exp(rng.uniform(np.log(2), np.log(20)))))


def _displaced(truth: Tensor, width: float, severity: float, rng: np.random.Generator) -> Tensor:
    shape: Shape = (truth.shape[0], truth.shape[1], truth.shape[2])
    shift = torch.from_numpy(rng.normal(0, 0.25, (3, 1, 1, 1)).astype(np.float32))
    waves = rng.uniform(0, 0.6) * smooth_fields(3, shape, 4, rng)
    return warped(truth[None], severity * width * (shift + waves))[0]


def _likeness(image: Tensor, depth: Tensor, rng: np.random.Generator) -> Tensor:
    """From -1, unlike the object, to 1, like it; intensities are all it goes by."""
    inside = image[depth > 0]
    around = image[(depth < 0) & (depth > -0.3 * max(image.shape))]
    spread = inside.std(correction=min(1, len(inside) - 1)).clamp_min(0.05)
    level = inside.mean()
    tolerance = spread + rng.uniform(0.2, 0.6) * (around.mean() - level).abs()
    smooth = functional.avg_pool3d(image[None, None], 3, 1, padding=1, count_include_pad=False)
    return 1 - 2 * ((smooth[0, 0] - level).abs() / (tolerance + 1e-3)).clamp(0, 1)


def _ragged(shape: Shape, rng: np.random.Generator) -> Tensor:
    """Noise of single voxels, averaged over their neighbours, of standard deviation about 1."""
    noise = torch.from_numpy(rng.standard_normal((1, 1, *shape), np.float32))
    padded = functional.pad(noise, (1,) * 6, mode="replicate")
    averaged: Tensor = functional.avg_pool3d(padded, 3, 1)[0, 0]
    return averaged * math.sqrt(27)


def _lapse(truth: Tensor, width: float, rng: np.random.Generator) -> Tensor:
    """A round region near the surface that is dropped or leaked into, or one side cut off."""
    shape: Shape = (truth.shape[0], truth.shape[1], truth.shape[2])
    near = ((truth > -0.6) & (truth < 0.8)).flatten().nonzero()[:, 0]
    if not len(near):
        return torch.zeros(shape)
    positions = voxel_positions(shape)
    chosen = positions.flatten(1)[:, near[int(rng.integers(len(near)))]].view(3, 1, 1, 1)
    if rng.random() < 0.25:
        beyond = torch.tensordot(random_direction(rng), positions - chosen, dims=1)
        return -2.0 * torch.sigmoid(beyond)
    radius = width * rng.uniform(0.4, 1.6)
    region = torch.sigmoid((radius - lengths(positions - chosen)) * rng.uniform(0.5, 2))
    return region * _LAPSES[int(rng.random() < _LEAKY)] * rng.uniform(0.3, 1)
