"""What SAM makes of a volume: pictures, and the features of those that a prompt speaks of.

Features are kept as float16, in memory as on disk, whether a cache is used or not, and pictures are
encoded in groups that depend on nothing but what is shown. So the same features come from an empty
cache, a half-filled one, a full one and none at all, whichever prompts asked for them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.sam_predictor import SlicePredictor

_SCHEMA = 2
"""Raised whenever the code computes other features from the same pictures."""


@dataclass(frozen=True)
class Memory:
    """A cache, and what features depend on besides the pictures."""

    cache: EmbeddingCache
    weights_sha256: str
    device: str
    """Its kind and name: another one rounds differently."""

    def key(self, group: NDArray[np.uint8], position: int, *, framing: str) -> str:
        """The key of one picture of a group (n, H, W, 1 or 3) that is encoded together.

        The axis, the window and the mosaic need no mention: all they do is in the pictures.
        """
        made_from = {
            "schema": _SCHEMA,
            "weights": self.weights_sha256,
            "framing": framing,
            "device": self.device,
            "torch": torch.__version__,
            "shape": group.shape,
            "position": position,
        }
        digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode())
        digest.update(group.tobytes())
        return digest.hexdigest()


class Pictures:
    """A volume as 8-bit pictures, and the features of those that were needed so far."""

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        predictor: SlicePredictor,
        memory: Memory | None = None,
    ) -> None:
        """Keep the pictures (N, H, W, 1 or 3), slices or mosaics; nothing is encoded yet."""
        self.num_encoded = 0
        self._pictures = pictures
        self._predictor = predictor
        self._memory = memory
        self._features: dict[int, Tensor] = {}

    def features(self, indexes: Sequence[int]) -> list[Tensor]:
        """Give the features of these pictures, encoding those that no one has asked for before.

        Returns:
            Each (1, C, h, w) float16 on the device. SAM's 256 x 64 x 64 take 2 MiB there per
            picture, until this object goes.
        """
        for index in sorted(set(indexes)):
            if index not in self._features:
                self._look_up(index)
            if index not in self._features:
                self._encode_group_of(index)
        return [self._features[index] for index in indexes]

    def picture(self, index: int) -> NDArray[np.uint8]:
        """One picture as SAM sees it (H, W, 3)."""
        return np.repeat(self._pictures[index], 3 // self._pictures.shape[-1], axis=-1)

    def _look_up(self, index: int) -> None:
        if self._memory is not None:
            kept = self._memory.cache.get(self._key(self._memory, index))
            if kept is not None:
                self._features[index] = torch.from_numpy(kept).to(self._predictor.device)

    def _encode_group_of(self, index: int) -> None:
        """Encode the pictures that share an encoder pass with this one, and keep each at once."""
        group = self._group(index)
        encoded = self._predictor.encode([self.picture(member) for member in group])
        self.num_encoded += len(group)
        for member, feature in zip(group, encoded, strict=True):
            rounded = feature.half()  # SAM's last layer normalises: far from float16's limits
            self._features.setdefault(member, rounded)
            if self._memory is not None:
                key = self._key(self._memory, member)
                self._memory.cache.put(key, rounded.cpu().numpy())

    def _key(self, memory: Memory, index: int) -> str:
        group = self._group(index)
        shown, framing = self._pictures[group.start : group.stop], self._predictor.framing_name
        return memory.key(shown, index - group.start, framing=framing)

    def _group(self, index: int) -> range:
        """The pictures that are encoded together: a batch rounds by its size and by its place."""
        size = self._predictor.encode_batch
        start = index - index % size
        return range(start, min(start + size, len(self._pictures)))
