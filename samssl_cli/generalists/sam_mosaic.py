"""Several neighbouring slices in one picture, row by row, like the sheets of a light box.

    0 1 2
    3 4 5       the mosaic of side 3 of nine slices; tiles that no slice fills are black
    6 7 8

SAM encodes a mosaic in the time of a single slice, and sees a slice beside its neighbours, each
with that much less detail.

Source: Li et al., SFR, arXiv:2403.11229, sec. III-A (stitching).
Differs: SFR trains SAM on mosaics and asks without prompts; here each slice's prompt is moved into
its tile and asked by itself. Slices keep their size; the whole picture is brought to SAM's.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.generalists.sam_framing import PictureSize
from samssl_cli.generalists.sam_prompts import SlicePrompt
from samssl_cli.generalists.sam_slices import Slicing

Picture = TypeVar("Picture", NDArray[np.float32], Tensor)


@dataclass(frozen=True)
class Mosaic:
    """Where each slice lies; with one tile a side, pictures are slices."""

    side: int
    num_slices: int
    tile: PictureSize
    """(H, W) of a slice."""

    @classmethod
    def of(cls, cut: Slicing, side: int | Literal["fit"]) -> "Mosaic":
        """Lay out the slices of a volume; "fit": in one square picture just large enough."""
        fitting = math.ceil(math.sqrt(cut.num_slices))
        return cls(fitting if side == "fit" else side, cut.num_slices, cut.size)

    @property
    def size(self) -> PictureSize:
        """(H, W) of a picture."""
        height, width = self.tile
        return self.side * height, self.side * width

    @property
    def num_pictures(self) -> int:
        """How many pictures hold all slices."""
        return math.ceil(self.num_slices / self.side**2)

    def stitch(self, slices: NDArray[Any]) -> NDArray[Any]:
        """Lay slices (N, H, W, ...) out in pictures (n, side * H, side * W, ...)."""
        (height, width), rest = self.tile, slices.shape[3:]
        num_tiles = self.num_pictures * self.side**2
        filled = np.zeros((num_tiles, height, width, *rest), slices.dtype)
        filled[: len(slices)] = slices
        grid = filled.reshape(-1, self.side, self.side, height, width, *rest)
        return grid.swapaxes(2, 3).reshape(-1, *self.size, *rest)

    def picture_of(self, index: int) -> int:
        """Which picture holds a slice."""
        return index // self.side**2

    def place(self, said: SlicePrompt) -> SlicePrompt:
        """Move what is said about a slice into its tile; `index` is then that of the picture.

        What is `seen` stays as large as the slice, with the tile's `corner`.
        """
        top, left = self._corner(said.index)
        box = said.box
        return replace(
            said,
            index=self.picture_of(said.index),
            points=said.points + np.array([left, top]),
            box=box and (box[0] + left, box[1] + top, box[2] + left, box[3] + top),
            mask=self._placed(said.mask, top, left),
            corner=(top, left),
        )

    def cut_out(self, picture: Picture, index: int) -> Picture:
        """The tile (H, W) of a slice from what was answered about its picture."""
        top, left = self._corner(index)
        height, width = self.tile
        return picture[top : top + height, left : left + width]

    def _corner(self, index: int) -> tuple[int, int]:
        """First row and column of a slice's tile."""
        row, column = divmod(index % self.side**2, self.side)
        return row * self.tile[0], column * self.tile[1]

    def _placed(
        self, mask: NDArray[np.bool_] | None, top: int, left: int
    ) -> NDArray[np.bool_] | None:
        if mask is None:
            return None
        whole = np.zeros(self.size, bool)
        whole[top : top + self.tile[0], left : left + self.tile[1]] = mask
        return whole
