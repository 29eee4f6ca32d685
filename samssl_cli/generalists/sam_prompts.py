"""From one prompt about a volume to one prompt for each of its slices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.sam_slices import Slicing
from samssl_cli.prompts.types import Prompt

Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class SlicePrompt:
    """What is said about one picture, in its pixels."""

    index: int
    """Which slice."""
    points: NDArray[np.float64]
    """(P, 2) clicks (x, y) at pixel centres; P may be 0."""
    is_positive: NDArray[np.bool_]
    """(P,) true inside the object."""
    box: Rectangle | None = None
    """(x0, y0, x1, y1): the first and last pixels, both inside the box."""
    mask: NDArray[np.bool_] | None = None
    """(H, W) what is passed on."""
    seen: NDArray[np.bool_] | None = None
    """(H, W) the object as the specialist sees it on this slice, passed on or not."""
    corner: tuple[int, int] = (0, 0)
    """First row and column of the slice in the picture that is asked about."""

    @property
    def structure(self) -> tuple[int, bool, bool]:
        """Prompts of the same structure can share a batch."""
        return len(self.points), self.box is not None, self.mask is not None


def slice_prompts(
    prompt: Prompt, cut: Slicing, *, box_margin: int, with_mask: bool
) -> list[SlicePrompt]:
    """Say a 3D prompt slice by slice.

    The slices are those on which the mask has voxels; without a mask, those that the box spans;
    without either, those with a positive point. On each slice SAM gets the points that lie on it,
    and a box: that of the mask there, widened by a margin but kept inside the 3D box, or else the
    cross-section of the 3D box.

    Args:
        prompt: points, box and mask, each of which may be absent or empty.
        cut: how the volume is cut into slices.
        box_margin: pixels added on each side of the mask's own box.
        with_mask: whether the mask itself is passed on too.

    Returns:
        One prompt a slice, in order; none when nothing says where the object is.
    """
    masks = None if prompt.mask is None else cut.pictures(prompt.mask)
    box = None if prompt.box is None else cut.rectangle(prompt.box)
    prompts = []
    for index in _visited(prompt, cut):
        mask = masks[index] if masks is not None and masks[index].any() else None
        on_slice = prompt.points.coordinates[:, cut.axis] == index
        prompts.append(
            SlicePrompt(
                index=index,
                points=cut.xy(prompt.points.coordinates[on_slice]),
                is_positive=prompt.points.is_positive[on_slice],
                box=box if mask is None else _box_of(mask, box_margin, inside=box),
                mask=mask if with_mask else None,
                seen=mask,
            )
        )
    return prompts


def _visited(prompt: Prompt, cut: Slicing) -> list[int]:
    if prompt.mask is not None and prompt.mask.any():
        in_plane = tuple(axis for axis in range(3) if axis != cut.axis)
        return [int(index) for index in np.flatnonzero(prompt.mask.any(axis=in_plane))]
    if prompt.box is not None:
        low, high = prompt.box.low[cut.axis], prompt.box.high[cut.axis]
        return list(range(low, min(high, cut.num_slices)))
    positive = prompt.points.coordinates[prompt.points.is_positive]
    return sorted({int(index) for index in positive[:, cut.axis]})


def _box_of(mask: NDArray[np.bool_], margin: int, *, inside: Rectangle | None) -> Rectangle:
    """The box of a mask, widened; cut to `inside` unless they do not meet."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    widened = (
        max(int(columns[0]) - margin, 0),
        max(int(rows[0]) - margin, 0),
        min(int(columns[-1]) + margin, width - 1),
        min(int(rows[-1]) + margin, height - 1),
    )
    if inside is None:
        return widened
    x0, y0 = max(widened[0], inside[0]), max(widened[1], inside[1])
    x1, y1 = min(widened[2], inside[2]), min(widened[3], inside[3])
    return (x0, y0, x1, y1) if x0 <= x1 and y0 <= y1 else widened
