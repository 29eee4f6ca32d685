"""A generalist's own weights: pre-trained on scenes, or adapted on the labeled cases.

    generalist.zarr/weights     tensors in the safetensors format, as one array of bytes
    generalist.zarr/curves      one (steps,) array per loss term
    generalist.zarr/fold.N      of an adaptation: what was measured on the labels left out in turn

`about` names the row of the GENERALISTS table that can use them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.checkpoint import Tensors, pack_tensors, unpack_tensors
from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.store import SealedStore


class GeneralistWeights:
    """A sealed `generalist.zarr`."""

    def __init__(self, path: Path) -> None:
        """Open complete weights."""
        self._store = SealedStore(path, "generalist")
        self.path = path
        self.fingerprint = self._store.fingerprint
        self.about: Mapping[str, Any] = self._store.about
        self.name: str = self.about["generalist"]
        """The row of the GENERALISTS table."""
        self.options: Mapping[str, Any] = self.about.get("options", {})
        """Of that row: those it was adapted with."""
        self.base_sha256: str | None = self.about.get("base_needed")
        """Of the weights file that these are changes to; None: they are all there is."""
        self.content = self._store.manifest.members["weights"]
        """A digest of the weights themselves: the plan that a fingerprint stands for may give
        others on another device."""

    @property
    def adapted(self) -> Mapping[str, Any] | None:
        """What lineage says of an adaptation; None for weights that were only pre-trained."""
        adapted: Mapping[str, Any] | None = self.about.get("adapted")
        return adapted

    @property
    def is_adapted(self) -> bool:
        """Whether they learned from labeled cases; not when adapting left them as they were."""
        return self.adapted is not None and self.adapted["steps"] > 0

    def tensors(self) -> Tensors:
        """The weights by name, as they are stored."""
        return unpack_tensors(self._packed())

    def file_content(self) -> bytes:
        """The weights as the content of a .safetensors file.

        Raises:
            DamagedArtifactError: when they are not.
        """
        packed = self._packed()
        unpack_tensors(packed)
        return packed.tobytes()

    def curves(self) -> Mapping[str, NDArray[np.float32]]:
        """The loss terms, (steps,) each."""
        return self._store.member("curves").arrays

    def _packed(self) -> NDArray[np.uint8]:
        packed: NDArray[np.uint8] = self._store.member("weights").arrays["tensors"]
        return packed


def write_generalist(
    store: Store, tensors: Tensors, curves: Mapping[str, NDArray[np.float32]]
) -> None:
    """Write the weights of a generalist, and the curves of the training behind them."""
    store.write("weights", {"tensors": pack_tensors(tensors)}, {"num_tensors": len(tensors)})
    store.write("curves", dict(curves), {})


def fold_member(number: int) -> str:
    """The name under which a store keeps what was measured on a fold, counted from 0."""
    return f"fold.{number}"
