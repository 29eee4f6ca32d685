"""Random changes of a patch's intensities: drawn first, applied afterwards."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from samssl_cli.networks.monai_parts import GaussianFilter
from samssl_cli.recipe import Augmentation

_KNOTS = 4  # control points of the bias field per axis


@dataclass(frozen=True)
class IntensityChange:
    """One draw; a value that changes nothing stands for a change that was not chosen."""

    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    noise_std: float = 0.0
    blur_sigma_voxels: float = 0.0
    bias_knots: NDArray[np.float32] | None = None


def draw_intensity(rng: np.random.Generator, options: Augmentation) -> IntensityChange:
    """Draw one change; every kind is chosen on its own with `intensity_probability`."""
    chosen = rng.random(6) < options.intensity_probability
    values = rng.uniform(-1, 1, 6)
    knots = rng.uniform(-options.bias_field, options.bias_field, (_KNOTS,) * 3)
    return IntensityChange(
        brightness=float(values[0] * options.brightness) if chosen[0] else 0.0,
        contrast=float(1 + values[1] * options.contrast) if chosen[1] else 1.0,
        gamma=float(2 ** (values[2] * options.gamma)) if chosen[2] else 1.0,
        noise_std=float(abs(values[3]) * options.noise_std) if chosen[3] else 0.0,
        blur_sigma_voxels=float(abs(values[4]) * options.blur_sigma_voxels) if chosen[4] else 0.0,
        bias_knots=knots.astype(np.float32) if chosen[5] and options.bias_field > 0 else None,
    )


def change_intensity(patch: Tensor, change: IntensityChange, *, seed: int) -> Tensor:
    """Apply `change` to a patch (C, I, J, K) of z-scored intensities, and return a new tensor.

    `seed` decides the noise alone.
    """
    if change.blur_sigma_voxels > 0.1:
        blur = GaussianFilter(3, change.blur_sigma_voxels).to(patch.device)
        patch = blur(patch[None])[0]
    if change.bias_knots is not None:
        patch = patch * _smooth_field(change.bias_knots, patch).exp()
    if change.gamma != 1.0:
        patch = _gamma(patch, change.gamma)
    patch = patch * change.contrast + change.brightness
    if change.noise_std > 0:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(patch.shape, generator=generator).to(patch.device)
        patch = patch + noise * change.noise_std
    return patch


def _gamma(patch: Tensor, gamma: float) -> Tensor:
    """Bend the intensity scale between the patch's own minimum and maximum."""
    low = patch.amin((1, 2, 3), keepdim=True)
    extent = (patch.amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-6)
    return ((patch - low) / extent).pow(gamma) * extent + low


def _smooth_field(knots: NDArray[np.float32], patch: Tensor) -> Tensor:
    field = torch.from_numpy(knots).to(patch.device)[None, None]
    size = list(patch.shape[1:])
    return functional.interpolate(field, size=size, mode="trilinear", align_corners=True)[0]
