"""A generalist's own weights: pre-trained on scenes, or adapted on the labeled cases.

    generalist.zarr/weights     tensors in the safetensors format, as one array of bytes
    generalist.zarr/curves      one (steps,) array per loss term
    generalist.zarr/fold.N      of an adaptation: what was measured on the labels left out in turn
    generalist.zarr/weights.N   of an adaptation with steps: weights that did not see those labels

`about` names the row of the GENERALISTS table that can use them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.checkpoint import Tensors, pack_tensors, unpack_tensors
from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import texts, understood
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.volumes.half import Half

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALL = "weights"
_OF_FOLD = "weights."


@dataclass(frozen=True)
class LeftOut:
    """What the weights of a fold did not learn from."""

    member: str
    """Where these weights are."""
    cases: tuple[str, ...]
    half: Half | None
    """The part of the only case; None: the cases are left out whole."""


class GeneralistWeights:
    """A sealed `generalist.zarr`."""

    @understood
    def __init__(self, path: Path) -> None:
        """Open complete weights."""
        self._store = SealedStore(path, "generalist")
        self.path = path
        self.fingerprint = self._store.fingerprint
        self.about: Mapping[str, Any] = self._store.about
        self.name = str(self.about["generalist"])
        """The row of the GENERALISTS table."""
        self.options: Mapping[str, Any] = dict(self.about.get("options", {}))
        """Of that row: those it was adapted with."""
        self.base_sha256: str | None = self.about.get("base_needed")
        """Of the weights file that these are changes to; None: they are all there is."""
        _check_adapted(self.about.get("adapted"))
        self._member = _ALL
        self.content = self._store.manifest.members[_ALL]
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

    @understood
    def folds(self) -> tuple[LeftOut, ...]:
        """What the weights of each fold did not learn from; none where none are kept."""
        return tuple(
            _left_out(name, self._store.attributes(name))
            for name in self._store.names
            if name.startswith(_OF_FOLD)
        )

    def of_fold(self, fold: LeftOut) -> GeneralistWeights:
        """The same generalist with the weights of one of its folds."""
        other = copy.copy(self)
        other._member = fold.member
        other.content = self._store.manifest.members[fold.member]
        return other

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

    @understood
    def _packed(self) -> NDArray[np.uint8]:
        packed: NDArray[np.uint8] = self._store.member(self._member).arrays["tensors"]
        return packed


def write_generalist(
    store: Store, tensors: Tensors, curves: Mapping[str, NDArray[np.float32]]
) -> None:
    """Write the weights of a generalist, and the curves of the training behind them."""
    store.write(_ALL, {"tensors": pack_tensors(tensors)}, {"num_tensors": len(tensors)})
    store.write("curves", dict(curves), {})


def fold_member(number: int) -> str:
    """The name under which a store keeps what was measured on a fold, counted from 0."""
    return f"fold.{number}"


def write_fold_weights(
    store: Store, number: int, tensors: Tensors, *, cases: tuple[str, ...], half: Half | None
) -> None:
    """Write the weights of a training that left these cases, or this half of one, out."""
    left_out = {"cases": cases, "half": None if half is None else asdict(half)}
    attributes = {"num_tensors": len(tensors), "left_out": left_out}
    store.write(fold_weights_member(number), {"tensors": pack_tensors(tensors)}, attributes)


def fold_weights_member(number: int) -> str:
    """The name under which a store keeps the weights of a fold, counted from 0."""
    return f"{_OF_FOLD}{number}"


def _check_adapted(said: Mapping[str, Any] | None) -> None:
    """Raise a `ValueError` or `KeyError` for facts that no adaptation has."""
    if said is not None and (
        type(said["steps"]) is not int or not isinstance(said["cases_fingerprint"], str)
    ):
        raise ValueError(f"adapted {str(said)[:80]}")


def _left_out(member: str, attributes: Mapping[str, Any]) -> LeftOut:
    said = attributes["left_out"]
    half = None if said["half"] is None else Half(**said["half"])
    if half is not None and (half.axis not in (0, 1, 2) or half.side not in ("low", "high")):
        raise ValueError(f"half {str(said['half'])[:80]}")
    return LeftOut(member, texts(said["cases"]), half)
