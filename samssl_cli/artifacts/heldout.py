"""The labels that no training stage may see: for `evaluate` alone.

They are kept in the native grid of their image, so that a score never depends on our resampling. An
import contract keeps this module out of reach of train-ssl, prompt, sam-label and retrain.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import understood
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.store import SealedStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELD_OUT = "heldout"


class HeldOutLabels:
    """The held-out part of `cases.zarr`."""

    def __init__(self, path: Path) -> None:
        """Open a complete `cases.zarr`."""
        self.cases_fingerprint = read_manifest(path, "cases").fingerprint
        self._store = SealedStore(path / HELD_OUT, "held-out-labels")
        self.path = path

    @property
    def names(self) -> tuple[str, ...]:
        """The unlabeled and test cases that have a reference."""
        return self._store.names

    @understood
    def read(self, name: str) -> NDArray[np.integer]:
        """Read the label (I, J, K) of a case in its native grid."""
        label: NDArray[np.integer] = self._store.member(name).arrays["label"]
        return label


def write_heldout_label(store: Store, name: str, label: NDArray[np.integer]) -> None:
    """Write one native label to the held-out store."""
    store.write(name, {"label": label}, {})
