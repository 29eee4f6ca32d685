"""What a specialist says to a generalist: points, a box and a mask for one object.

All coordinates are voxel indices (i, j, k) of the preprocessed RAS+ volume.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _no_coordinates() -> NDArray[np.int64]:
    return np.zeros((0, 3), np.int64)


def _no_signs() -> NDArray[np.bool_]:
    return np.zeros(0, bool)


@dataclass(frozen=True)
class Points:
    """Clicks on voxels: inside the object (positive) or outside it (negative)."""

    coordinates: NDArray[np.int64] = field(default_factory=_no_coordinates)
    """(N, 3) voxel indices (i, j, k)."""
    is_positive: NDArray[np.bool_] = field(default_factory=_no_signs)
    """(N,) true inside the object, false outside."""

    def __post_init__(self) -> None:
        """Check that each point has three coordinates and a sign."""
        assert self.coordinates.shape == (len(self.is_positive), 3), self.coordinates.shape

    def __len__(self) -> int:
        return len(self.is_positive)

    def __add__(self, other: "Points") -> "Points":
        return Points(
            np.concatenate([self.coordinates, other.coordinates]),
            np.concatenate([self.is_positive, other.is_positive]),
        )


@dataclass(frozen=True)
class Box:
    """An axis-aligned box, low inclusive and high exclusive, like slices."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    def __post_init__(self) -> None:
        """Check that the box holds at least one voxel."""
        assert all(0 <= a < b for a, b in zip(self.low, self.high, strict=True)), self

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index into an (I, J, K) array."""
        i, j, k = (slice(a, b) for a, b in zip(self.low, self.high, strict=True))
        return i, j, k


@dataclass(frozen=True)
class Prompt:
    """Everything said about one object at once; each part may be absent."""

    points: Points = field(default_factory=Points)
    box: Box | None = None
    mask: NDArray[np.bool_] | None = None
    """(I, J, K), or None when no mask is given."""

    @property
    def extent(self) -> Box | None:
        """Where the object is: around the mask's voxels, or the box, or around positive points.

        The first of these that there is; None when nothing says where.
        """
        if self.mask is not None and self.mask.any():
            voxels = [np.flatnonzero(self.mask.any(axis=rest)) for rest in ((1, 2), (0, 2), (0, 1))]
            return _around(np.array([found[[0, -1]] for found in voxels]).T)
        if self.box is not None:
            return self.box
        positive = self.points.coordinates[self.points.is_positive]
        return _around(positive) if len(positive) else None

    def merged_with(self, other: "Prompt") -> "Prompt":
        """Both prompts together; where both have a box or a mask, `other` wins."""
        return Prompt(
            points=self.points + other.points,
            box=other.box or self.box,
            mask=self.mask if other.mask is None else other.mask,
        )


def _around(voxels: NDArray[np.int64]) -> Box:
    """The smallest box around voxels (N, 3)."""
    i, j, k = (int(value) for value in voxels.min(axis=0))
    high_i, high_j, high_k = (int(value) + 1 for value in voxels.max(axis=0))
    return Box((i, j, k), (high_i, high_j, high_k))


@dataclass(frozen=True)
class ObjectPrompts:
    """The prompts for one connected component of one class of one case."""

    class_index: int
    """1 … number of foreground classes."""
    component: int
    """1 is the largest component of the class."""
    mask: NDArray[np.bool_]
    """(I, J, K) the object as the specialist sees it, whatever the strategies say of it."""
    sets: tuple[Prompt, ...]
    """(S,) the first is unperturbed; the others are perturbed, to see how firm the answer is."""

    @property
    def num_voxels(self) -> int:
        """The size of the object."""
        return int(self.mask.sum())
