"""A half of a volume, where the only labeled case has to be its own counterpart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Half:
    """What lies on one side of a plane between voxels."""

    axis: int
    """0, 1 or 2: across I, J or K."""
    voxel: int
    """The first one of the high half."""
    side: Literal["low", "high"]

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """True in this half of a volume (I, J, K)."""
        import numpy as np

        at = np.arange(shape[self.axis])
        own = at >= self.voxel if self.side == "high" else at < self.voxel
        others = tuple(axis for axis in range(3) if axis != self.axis)
        return np.broadcast_to(np.expand_dims(own, others), shape).copy()
