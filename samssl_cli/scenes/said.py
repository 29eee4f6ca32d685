"""What a specialist says of an object in a scene: a mistaken mask, a box, clicks, or some."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from samssl_cli.scenes.mistakes import draw_mistaken
from samssl_cli.scenes.scene import COARSER, Scene

Coordinates = NDArray[np.float64]

_LEAST_DICE = 0.35  # of a mask with the truth; a worse one does not say what is meant
_KINDS = ("mask", "mask, clicks", "mask, box, clicks", "box", "box, clicks", "clicks")
_SHARES = (0.45, 0.12, 0.13, 0.1, 0.08, 0.12)


@dataclass(frozen=True)
class Said:
    """A prompt about one object, in voxel coordinates of the image."""

    depth: Tensor
    """(I/2, J/2, K/2) the truth: depth below the surface in those voxels."""
    mask: Tensor | None
    """(I/2, J/2, K/2) probability in 0-1, or None."""
    box: tuple[Coordinates, Coordinates] | None
    """First voxel and one past the last."""
    inside: Coordinates
    """(N, 3) clicks that are meant to lie on the object."""
    outside: Coordinates
    """(M, 3) clicks beside it."""
    extent: tuple[Coordinates, Coordinates]
    """The box that everything said takes up: where to look."""


def say(scene: Scene, rng: np.random.Generator) -> Said:
    """Choose an object and say something about it, as a specialist would."""
    depth = scene.depths[int(rng.integers(len(scene.depths)))]
    mistaken = _mistaken(scene, depth, rng)
    kind = str(rng.choice(_KINDS, p=_SHARES))
    seen = mistaken if "mask" in kind or rng.random() < 0.5 else (depth > 0).float()
    box = _jittered(_extent(seen), rng)
    has_clicks = "clicks" in kind
    inside, outside = _clicks(depth, seen, rng) if has_clicks else (_none(), _none())
    extent = _extent(mistaken) if "mask" in kind else box
    if kind == "clicks":
        extent = _guessed(inside, box, rng)
    hard = rng.random() < 0.5
    return Said(
        depth=depth,
        mask=((mistaken > 0.5).float() if hard else mistaken) if "mask" in kind else None,
        box=box if "box" in kind else None,
        inside=inside,
        outside=outside,
        extent=extent,
    )


def _mistaken(scene: Scene, depth: Tensor, rng: np.random.Generator) -> Tensor:
    """A mask that still says what is meant, cleaned of its islands most of the time."""
    image = functional.avg_pool3d(scene.image[None], COARSER)[0]
    truth = depth > 0
    for _ in range(6):
        mistaken = draw_mistaken(depth, image, rng.uniform(0.1, 2.0), rng)
        if rng.random() < 0.85:
            mistaken = _without_islands(mistaken)
        said = mistaken > 0.5
        if 2 * int((said & truth).sum()) > _LEAST_DICE * int(said.sum() + truth.sum()):
            return mistaken
    return truth.float()


def _without_islands(mistaken: Tensor) -> Tensor:
    """Keep the largest component; elsewhere the probability stays below one half."""
    parts, number = ndimage.label((mistaken > 0.5).numpy())
    if number < 2:
        return mistaken
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return torch.where(torch.from_numpy((parts > 0) & (parts != largest)), 0.0, mistaken)


def _extent(mask: Tensor) -> tuple[Coordinates, Coordinates]:
    """The bounding box of a mask on the coarse grid, in voxels of the image."""
    found = ndimage.find_objects((mask > 0.5).numpy().astype(np.int8))[0]
    low, high = np.array([[s.start, s.stop] for s in found], np.float64).T
    return low * COARSER, high * COARSER


def _jittered(
    box: tuple[Coordinates, Coordinates], rng: np.random.Generator
) -> tuple[Coordinates, Coordinates]:
    low, high = box
    spread = rng.uniform(0, 0.08) * (high - low)
    moved_low, moved_high = low + spread * rng.normal(size=3), high + spread * rng.normal(size=3)
    return moved_low, np.maximum(moved_high, moved_low + 2)


def _clicks(
    depth: Tensor, seen: Tensor, rng: np.random.Generator
) -> tuple[Coordinates, Coordinates]:
    """Clicks inside, mostly truly so, and outside near the border."""
    believed = depth > 0 if rng.random() < 0.8 else seen > 0.5
    deep = believed & (depth > rng.uniform(0, 0.5) * depth.max())
    near = (depth < -1) & (depth > -0.35 * max(depth.shape)) & (seen < 0.5)
    inside = _drawn(deep if bool(deep.any()) else believed, int(rng.integers(1, 5)), rng)
    return inside, _drawn(near, int(rng.integers(0, 5)), rng)


def _drawn(where: Tensor, number: int, rng: np.random.Generator) -> Coordinates:
    found = where.nonzero().numpy()
    if not number or not len(found):
        return _none()
    chosen = found[rng.integers(len(found), size=number)]
    return chosen * float(COARSER) + (COARSER - 1) / 2


def _none() -> Coordinates:
    return np.zeros((0, 3))


def _guessed(
    inside: Coordinates, box: tuple[Coordinates, Coordinates], rng: np.random.Generator
) -> tuple[Coordinates, Coordinates]:
    """Where to look when nothing but clicks is known: about them, of roughly the right size."""
    half = (box[1] - box[0]) / 2 * np.exp(rng.uniform(-0.3, 0.6))
    half = np.full(3, half.max()) if rng.random() < 0.7 else half
    pull = rng.uniform(0, 1)
    middle = pull * (box[0] + box[1]) / 2 + (1 - pull) * inside.mean(axis=0)
    return middle - half, middle + half
