"""Image and prompts as the six channels that `scout` sees, in its pre-training and in its use."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.generalists.scout_evidence import likeness, pointed_at, standardised
from samssl_cli.generalists.scout_view import View

Coordinates = NDArray[np.float64]

_CLICK_SIGMA = 2.0  # grid points


def encode(
    view: View,
    image: Tensor,
    *,
    mask: Tensor | None,
    box: tuple[Coordinates, Coordinates] | None,
    inside: Coordinates,
    outside: Coordinates,
) -> Tensor:
    """Lay out what was said about one object.

    channels: the image, standardised over what the prompt points at; 2p - 1 of the mask or its
    probability; 1 in the box; a Gaussian at each click inside; the same for clicks outside; how
    much a voxel resembles what the prompt points at. What was not said is 0.

    Args:
        view: where to look.
        image: (*view.shape) as `View.sample` reads it.
        mask: (*view.shape) in 0-1, or None.
        box: its first voxel and one past its last, in voxel coordinates of the volume, or None.
        inside: (N, 3) voxel coordinates of clicks on the object.
        outside: (M, 3) of clicks beside it.

    Returns:
        (6, *view.shape) float32.
    """
    nothing, clicked = torch.zeros(view.shape), _clicked(view, inside)
    where = pointed_at(mask, clicked, None if box is None else _middle(view, *box), view.shape)
    return torch.stack(
        [
            standardised(image, where).clamp(-6, 6),
            nothing if mask is None else 2 * mask - 1,
            nothing if box is None else _filled(view, *box),
            clicked,
            _clicked(view, outside),
            likeness(image, where),
        ]
    )


def _middle(view: View, low: Coordinates, high: Coordinates) -> Tensor:
    """As `_filled`, of the middle half of the box along each axis."""
    return _filled(view, low + (high - low) / 4, high - (high - low) / 4)


def _filled(view: View, low: Coordinates, high: Coordinates) -> Tensor:
    """1 inside the box, 0 outside, and between them at grid points on its border."""
    box = torch.ones(view.shape)
    for axis, place in enumerate(_places(view)):
        half = view.step[axis] / 2
        depth = np.minimum(place - (low[axis] - 0.5), high[axis] - 0.5 - place)
        along = torch.from_numpy(np.clip(depth / (2 * half) + 0.5, 0, 1).astype(np.float32))
        box = box * along.view([-1 if a == axis else 1 for a in range(3)])
    return box


def _clicked(view: View, clicks: Coordinates) -> Tensor:
    """The largest of the Gaussians around the clicks."""
    drawn = torch.zeros(view.shape)
    for click in clicks:
        along = [
            torch.from_numpy(
                np.exp(-(((place - at) / step / _CLICK_SIGMA) ** 2) / 2).astype(np.float32)
            )
            for place, at, step in zip(_places(view), click, view.step, strict=True)
        ]
        drawn = torch.maximum(drawn, torch.einsum("i,j,k->ijk", *along))
    return drawn


def _places(view: View) -> list[Coordinates]:
    """The voxel coordinates of the grid points along each axis."""
    return [
        (np.arange(n) - (n - 1) / 2) * s + c
        for n, s, c in zip(view.shape, view.step, view.centre, strict=True)
    ]
