"""What a SAM 2 makes of the frames of a film, kept in memory and, with `--embeddings`, on disk."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.generalists.sam_embedding import Memory

Levels = list[Tensor]
"""Of one frame, from fine to coarse: (h * w, 1, C) float32 on the device."""

_STRIDES = (4, 8, 16)  # pixels of a frame for one place of each level


class Features:
    """What the model made of the frames so far; it stands where a session has its cache.

    Features depend on the frame alone, so all passes share them. The table of positions, five times
    as large, depends on nothing but its size, and is made once. A session is never told that
    something is missing: what is neither in memory nor on disk is encoded here, so that the model
    always gets it laid out in the same way, and answers the same to the bit.
    """

    def __init__(
        self,
        model: Any,
        frames: Mapping[int, Tensor],
        pictures: NDArray[np.uint8],
        *,
        kept_slices: int,
        memory: Memory | None,
    ) -> None:
        """Encode nothing yet.

        Args:
            model: a `Sam2VideoModel`.
            frames: (3, S, S) as the model sees them.
            pictures: (N, H, W, 1 or 3), which the frames are made of.
            kept_slices: how many frames are kept in memory; of more, those go that came first.
            memory: where features are looked up and kept on disk.
        """
        self.num_encoded = 0
        self._model, self._frames, self._pictures = model, frames, pictures
        self._kept_slices, self._memory = kept_slices, memory
        self._features: dict[int, Levels] = {}
        self._positions: Levels = []

    def __len__(self) -> int:
        return len(self._features)

    def get_vision_features(self, frame_idx: int) -> dict[str, Levels]:
        """The features of a frame and the positions of their places (as a session calls it)."""
        if frame_idx not in self._features:
            found = self._found(frame_idx) or self._encoded(frame_idx)
            if len(self._features) >= self._kept_slices:
                del self._features[next(iter(self._features))]
            self._features[frame_idx] = found
        if not self._positions:
            self._positions = [self._positions_of(shape) for shape in self._shapes()]
        return {
            "vision_feats": list(self._features[frame_idx]),
            "vision_pos_embeds": self._positions,
        }

    def _found(self, index: int) -> Levels | None:
        """What is kept on disk of a frame."""
        if self._memory is None:
            return None
        kept = self._memory.cache.get(self._key(self._memory, index))
        sizes = [side * side * width for side, width in self._shapes()]
        if kept is None or kept.size != sum(sizes):
            return None
        parts = torch.split(torch.from_numpy(kept).to(self._model.device), sizes)
        return [
            part.view(side * side, 1, width)
            for part, (side, width) in zip(parts, self._shapes(), strict=True)
        ]

    def _encoded(self, index: int) -> Levels:
        """Encode a frame, and keep it on disk at once."""
        frame = self._frames[index][None].to(self._model.device)
        made = self._model.get_image_features(frame, return_dict=True).fpn_hidden_states
        self.num_encoded += 1
        levels = [level.contiguous() for level in made]
        if self._memory is not None:
            flat = np.concatenate([level.cpu().numpy().ravel() for level in levels])
            self._memory.cache.put(self._key(self._memory, index), flat)
        return levels

    def _key(self, memory: Memory, index: int) -> str:
        framing = f"sam2 {self._side} pixels, transformers {version('transformers')}"
        return memory.key(self._pictures[index : index + 1], 0, framing=framing)

    def _shapes(self) -> list[tuple[int, int]]:
        """Places along a side, and numbers at each, of the levels."""
        decoder = self._model.mask_decoder
        fine, middle = decoder.conv_s0.out_channels, decoder.conv_s1.out_channels
        widths = (fine, middle, self._width)
        return [(self._side // by, width) for by, width in zip(_STRIDES, widths, strict=True)]

    def _positions_of(self, shape: tuple[int, int]) -> Tensor:
        """The table (h * w, 1, C) of one level, as the model's neck makes it."""
        encode = self._model.vision_encoder.neck.position_encoding
        size = torch.Size((1, self._width, shape[0], shape[0]))
        table: Tensor = encode(size, self._model.device, torch.float32)
        return table.flatten(2).permute(2, 0, 1)

    @property
    def _width(self) -> int:
        return int(self._model.config.vision_config.fpn_hidden_size)

    @property
    def _side(self) -> int:
        return side_of(self._model)


def side_of(model: Any) -> int:
    """Pixels of the square that a model sees."""
    size = model.config.image_size
    return int(size if isinstance(size, int) else size[0])
