"""Random changes of an object's outline, to see how firm the generalist's answer is."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli import recipe
from samssl_cli.distances import distance_to_false
from samssl_cli.prompts.placement import depth


def perturb(
    probability: NDArray[np.float32], options: recipe.Prompt, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Move the outline of an object by about `perturbation` times its mean half-width.

    The probability is warped rather than noised, so that its profile across the border, and with it
    what counts as confident, moves along with the outline however saturated the network is.

    Shapes: (I, J, K) float32 to the same. Without a voxel of 0.5 or above, or with
    `perturbation = 0`, the probability comes back as it is. A small object may vanish.
    Source: ours; the need for perturbed prompts is SemiSAM+'s (Zhang et al., arXiv:2502.20749).
    """
    inside = probability >= 0.5
    if not inside.any() or options.perturbation == 0:
        return probability
    signed = signed_distance(inside)
    width = half_width(signed)
    displacement = draw_displacement(signed, options.perturbation * width, width, rng)
    return warp(probability, displacement)


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the distance to the outline, positive inside and negative outside; in voxels.

    Shapes: (I, J, K) bool, not empty, to (I, J, K). The outline lies between voxels.
    """
    outside = distance_to_false(~mask)
    return np.where(mask, depth(mask) - 0.5, 0.5 - outside)


def half_width(signed: NDArray[np.float64]) -> float:
    """Twice the mean depth of an object: half a slab's thickness, two thirds of a tube's radius.

    Shapes: a signed distance (I, J, K), positive somewhere. In voxels; a single voxel gives 1.
    """
    return float(2 * signed[signed > 0].mean())


def draw_displacement(
    signed: NDArray[np.float64], size_voxels: float, smooth_voxels: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a smooth displacement whose part across the outline has a spread of `size_voxels`.

    displacement = shift + (growth + noise(x)) * inward(x), with variances 1/4, 1/4 and 1/2 of
    size² across the outline; `inward` is the gradient of the signed distance `signed`.

    Shapes: (I, J, K) to (3, I, J, K), both in voxels; `noise` varies over `smooth_voxels`.
    """
    inward = np.stack([_slope(signed, axis) for axis in range(3)])
    shift = rng.normal(0, size_voxels / 2, (3, 1, 1, 1))
    growth = rng.normal(0, size_voxels / 2)
    noise = size_voxels / np.sqrt(2) * smooth_noise(signed.shape, smooth_voxels, rng)
    return np.asarray(shift + (growth + noise) * inward, np.float64)


def smooth_noise(
    shape: tuple[int, ...], smooth_voxels: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give Gaussian noise of root mean square 1 that varies over `smooth_voxels`."""
    rough = rng.standard_normal(shape)
    noise = ndimage.gaussian_filter(rough, max(1.0, smooth_voxels), mode="wrap")
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float64)


def warp(
    probability: NDArray[np.float32], displacement: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Read each voxel at its displaced place, with linear interpolation.

    Shapes: (I, J, K) float32 and (3, I, J, K) in voxels; outside the volume its border goes on.
    """
    places = np.indices(probability.shape) + displacement
    return np.asarray(
        ndimage.map_coordinates(probability, places, order=1, mode="nearest"), np.float32
    )


def _slope(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """The derivative along an axis; 0 along an axis of one voxel."""
    if values.shape[axis] == 1:
        return np.zeros_like(values)
    return np.asarray(np.gradient(values, axis=axis), np.float64)
