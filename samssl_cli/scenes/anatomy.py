"""Random structures as implicit functions: how deep inside each one a voxel lies.

A structure is a smooth union of ellipsoids with tubes growing out of it, bent, bumpy, often cut by
a plane; what lies beyond the cut, and where a tube goes on, is another structure, often of the very
same tissue. So the border of what is meant is not always visible, as where veins enter an atrium.
Rings, shells and nets are left out, so that something is left to test on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from samssl_cli.scenes.fields import (
    Shape,
    lengths,
    random_direction,
    random_rotation,
    smooth_field,
    smooth_fields,
    voxel_positions,
)

NOWHERE = -1e3
"""The depth of an empty structure, in voxels."""


@dataclass(frozen=True)
class Structure:
    """One organ-like thing, in voxels of the grid it was drawn on."""

    depth: Tensor
    """(I, J, K) about the distance to its surface, positive inside."""
    beyond: Tensor
    """(I, J, K) the same of what continues it behind cuts; `NOWHERE` where nothing does."""
    wall_voxels: float
    """Thickness of the wall around it, in voxels of the image, should it have one."""
    host: int | None
    """The structure that it lies inside of, when it belongs to that one's volume as well."""


def draw_structures(shape: Shape, rng: np.random.Generator) -> list[Structure]:
    """Draw three to eight structures; where two overlap, the later one is what is there."""
    positions = voxel_positions(shape)
    bend = min(shape) * rng.uniform(0.0, 0.08)
    positions = positions + bend * smooth_fields(3, shape, int(rng.integers(3, 6)), rng)
    structures: list[Structure] = []
    for number in range(int(rng.integers(3, 9))):
        host = _pick_host(structures, rng)
        structures.append(
            _draw_structure(positions, structures, host, is_first=number == 0, rng=rng)
        )
    return structures


def visible_depth(structures: Sequence[Structure], index: int) -> Tensor:
    """How deep a voxel lies in a structure where no later one took its place.

    What lies inside it, or inside of that, belongs to it.
    """
    depth, inside = structures[index].depth, {index}
    for number, later in enumerate(structures[index + 1 :], start=index + 1):
        if later.host in inside:
            inside.add(number)
        else:
            depth = torch.minimum(depth, -later.depth)
            depth = torch.minimum(depth, -later.beyond)
    return depth


def _pick_host(structures: Sequence[Structure], rng: np.random.Generator) -> int | None:
    if not structures or rng.random() > 0.2:
        return None
    return int(rng.integers(len(structures)))


def _draw_structure(
    positions: Tensor,
    earlier: Sequence[Structure],
    host: int | None,
    *,
    is_first: bool,
    rng: np.random.Generator,
) -> Structure:
    shape: Shape = (positions.shape[1], positions.shape[2], positions.shape[3])
    extent = min(shape)
    radius = extent * (rng.uniform(0.16, 0.36) if is_first else rng.uniform(0.07, 0.3))
    centre = _place(positions, earlier, host, is_first=is_first, rng=rng)
    if host is not None:
        radius = min(radius, 0.6 * float(earlier[host].depth.max().clamp_min(3)))
    body = _body(positions, centre, radius, rng)
    beyond = torch.full(shape, NOWHERE)
    for _ in range(int(rng.choice([0, 0, 1, 2, 3, 4]))):
        tube, onward = _tube(positions, centre, radius, rng)
        body = torch.maximum(body, tube)
        beyond = torch.maximum(beyond, onward)
    if rng.random() < 0.7:
        body = body + radius * rng.uniform(0.02, 0.15) * smooth_field(
            shape, int(rng.integers(5, 11)), rng
        )
    if rng.random() < 0.3:
        plane = _plane(positions, centre, radius * rng.uniform(0.1, 0.8), rng)
        beyond = torch.maximum(beyond, torch.minimum(body, -plane))
        body = torch.minimum(body, plane)
    beyond = torch.minimum(beyond, -body)
    wall = rng.uniform(0.7, 2.2)
    return Structure(body, beyond, wall, host)


def _place(
    positions: Tensor,
    earlier: Sequence[Structure],
    host: int | None,
    *,
    is_first: bool,
    rng: np.random.Generator,
) -> Tensor:
    """Near the middle at first, then inside the host, against another's surface, or anywhere."""
    shape = np.array(positions.shape[1:], np.float32)
    anywhere = torch.from_numpy(rng.uniform(-0.45, 0.45, 3).astype(np.float32) * shape)
    if is_first:
        return anywhere * 0.4
    if host is not None:
        inside = earlier[host].depth > 0.4 * earlier[host].depth.max()
        return _one_of(positions, inside, anywhere, rng)
    if rng.random() < 0.7:
        distance = -earlier[int(rng.integers(len(earlier)))].depth
        reach = 0.2 * float(shape.min())
        return _one_of(positions, (distance > 0.05 * reach) & (distance < reach), anywhere, rng)
    return anywhere


def _one_of(
    positions: Tensor, where: Tensor, otherwise: Tensor, rng: np.random.Generator
) -> Tensor:
    found = where.flatten().nonzero()[:, 0]
    if not len(found):
        return otherwise
    return positions.flatten(1)[:, found[int(rng.integers(len(found)))]]


def _body(positions: Tensor, centre: Tensor, radius: float, rng: np.random.Generator) -> Tensor:
    """A smooth union of one to five ellipsoids."""
    sharpness = 1 / (radius * rng.uniform(0.03, 0.3))
    parts = []
    for number in range(int(rng.integers(1, 6))):
        size = radius * (1.0 if number == 0 else rng.uniform(0.4, 0.9))
        away = (
            torch.zeros(3) if number == 0 else random_direction(rng) * radius * rng.uniform(0.4, 1)
        )
        radii = size * np.exp(rng.uniform(-0.6, 0.35, 3))
        parts.append(_ellipsoid(positions, centre + away, radii, rng))
    return torch.logsumexp(torch.stack(parts) * sharpness, dim=0) / sharpness


def _ellipsoid(
    positions: Tensor, centre: Tensor, radii: np.ndarray, rng: np.random.Generator
) -> Tensor:
    scaled_axes = random_rotation(rng) / torch.from_numpy(radii.astype(np.float32))[:, None]
    scaled = torch.tensordot(scaled_axes, positions - centre.view(3, 1, 1, 1), dims=1)
    length = lengths(scaled)
    # first-order distance: (1 - |q|) divided by its own slope, the mean radius in that direction
    return (1 - length) * float(np.exp(np.log(radii).mean()))


def _tube(
    positions: Tensor, centre: Tensor, radius: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A tube out of the middle as far as it belongs, and the same tube from there on."""
    direction, thickness = random_direction(rng), radius * rng.uniform(0.15, 0.45)
    thickness = max(thickness, 1.2)
    offset = positions - centre.view(3, 1, 1, 1)
    along = torch.tensordot(direction, offset, dims=1)
    bow = radius * rng.uniform(0, 0.6) * (along / (2 * radius)).clamp(0, 2) ** 2
    sideways = random_direction(rng).view(3, 1, 1, 1)
    across = offset - direction.view(3, 1, 1, 1) * along + sideways * bow
    inside = thickness * (1 - rng.uniform(0, 0.2) * (along / (3 * radius)).clamp(0, 1)) - lengths(
        across
    )
    belongs, ends = radius * rng.uniform(1.0, 1.9), radius * rng.uniform(1.9, 4.0)
    tube = torch.minimum(inside, torch.minimum(along, belongs - along))
    onward = torch.minimum(inside, torch.minimum(along - belongs, ends - along))
    return tube, onward if rng.random() < 0.8 else torch.full_like(onward, NOWHERE)


def _plane(positions: Tensor, centre: Tensor, offset: float, rng: np.random.Generator) -> Tensor:
    direction = random_direction(rng)
    away = torch.tensordot(direction, positions - centre.view(3, 1, 1, 1), dims=1)
    distance: Tensor = offset - away
    return distance
