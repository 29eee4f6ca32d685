"""What the atlas made of an image, kept on disk: registering takes seconds, reading takes none."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.registration.propagation import PropagationOptions
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.labeled_image import LabeledImage

_SCHEMA = 1
"""Raised whenever the code makes other distances from the same images."""


class AtlasMemory:
    """A cache, and what the distances depend on besides the image."""

    def __init__(
        self, cache: EmbeddingCache, options: PropagationOptions, labeled: Sequence[LabeledImage]
    ) -> None:
        """Digest the labeled cases; their names are no part of it, their order is."""
        self.cache = cache
        registering = {name: getattr(options, name) for name in PropagationOptions.model_fields}
        made_from = {
            "schema": _SCHEMA,
            "atlas": registering,
            "simpleitk": SimpleITK.Version_VersionString(),
        }
        self._base = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode())
        for case in labeled:
            _update(self._base, case.image, case.spacing_mm)
            _update(self._base, case.label, case.spacing_mm)

    def key(self, image: NDArray[np.float32], spacing_mm: Spacing) -> str:
        """The key of an image (C, I, J, K)."""
        digest = self._base.copy()
        _update(digest, image, spacing_mm)
        return digest.hexdigest()


def _update(digest: "hashlib._Hash", array: NDArray[Any], spacing_mm: Spacing) -> None:
    described = [str(array.dtype), array.shape, [float(size) for size in spacing_mm]]
    digest.update(json.dumps(described).encode())
    digest.update(np.ascontiguousarray(array).tobytes())
