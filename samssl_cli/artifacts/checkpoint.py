"""Trained networks: their weights, the state to go on from, and the curves.

Weights are stored as one array of bytes in the safetensors format: checked like every array,
readable without running code.

    checkpoint.zarr/student     tensors
    checkpoint.zarr/teacher     tensors, for methods that have one; so are second and evaluator
    checkpoint.zarr/branches    tensors, for methods with more heads or decoders than the student's
    checkpoint.zarr/average     tensors, with average_decay: the mean of the weights that predict
    checkpoint.zarr/state       tensors of the optimiser, with its step and schedule
    checkpoint.zarr/curves      one (steps,) array per loss term
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from samssl_cli.artifacts.cases import DatasetFacts
from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import (
    understanding_what_is_left,
    understood,
    whole_numbers,
)
from samssl_cli.artifacts.lineage import generalists_of
from samssl_cli.artifacts.members import read_member, write_member
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.errors import DamagedArtifactError
from samssl_cli.recipe import Network
from samssl_cli.volumes.whole_file import writing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Tensors: TypeAlias = "dict[str, NDArray[Any]]"

_LARGEST_PATCH = 1024  # voxels of a side
_STATE = re.compile(r"step-[0-9]{8,}")
_KEPT_STATES = 2  # so that a damaged newest state falls back to the one before


@dataclass(frozen=True)
class Snapshot:
    """Everything that a training run is, between two steps."""

    step: int
    """Steps done."""
    modules: Mapping[str, Tensors]
    """Weights of each network."""
    optimizer: Tensors
    scaler: Mapping[str, float]
    """State of the gradient scaler; empty without mixed precision."""
    curves: Mapping[str, NDArray[np.float32]]
    """(step,) for each loss term."""
    where: Path | None = None
    """Where it lies, for a message; None for one that was handed over."""


class Checkpoint:
    """A sealed `specialist.zarr` or `student.zarr`."""

    @understood
    def __init__(self, path: Path) -> None:
        """Open a complete checkpoint."""
        self._store = SealedStore(path, "checkpoint")
        self.path = path
        self.fingerprint = self._store.fingerprint
        self.cases_fingerprint: str = self._store.manifest.plan["inputs"]["cases"]
        about = self._store.about
        self.facts = DatasetFacts.from_json(about)
        self.spacing_is_known: bool = about.get("spacing_is_known", True)
        """False where it was trained on cases that know no voxel size, with 1 mm in its place."""
        self.network = Network.model_validate(about["network"])
        self.norm: Literal["instance", "batch"] = about["network"]["norm"]
        sides = whole_numbers(about["patch_size"], at_least=1, at_most=_LARGEST_PATCH)
        self.patch_size: tuple[int, int, int] = sides
        self.predictor = str(about["predictor"])
        self.generalists = generalists_of(self._store.manifest)
        """Those whose answers it learned from, in this round and before it."""

    def curves(self) -> Mapping[str, NDArray[np.float32]]:
        """The weighted loss terms, (steps,) each; NaN where a term was not computed."""
        return self._store.member("curves").arrays

    @understood
    def weights(self, module: str | None = None) -> Tensors:
        """The weights of one network; by default of the one to predict with."""
        return unpack_tensors(self._store.member(module or self.predictor).arrays["tensors"])


def write_checkpoint(store: Store, snapshot: Snapshot) -> None:
    """Write the final state of a training run as the members of a checkpoint."""
    for name, tensors in snapshot.modules.items():
        store.write(name, {"tensors": pack_tensors(tensors)}, {"num_tensors": len(tensors)})
    attributes = {"step": snapshot.step, "scaler": dict(snapshot.scaler)}
    store.write("state", {"tensors": pack_tensors(snapshot.optimizer)}, attributes)
    store.write("curves", dict(snapshot.curves), {"step": snapshot.step})


def save_progress(directory: Path, snapshot: Snapshot) -> None:
    """Keep a state to resume from, and drop all but the last two."""
    target = directory / f"step-{snapshot.step:08d}"
    write_member(target, *_to_member(snapshot), staging=directory / "staging")
    for old in _states(directory)[:-_KEPT_STATES]:
        with writing(old):
            shutil.rmtree(old)


def load_progress(directory: Path) -> Snapshot | None:
    """The newest undamaged state of an unfinished run, or None."""
    for path in reversed(_states(directory)):
        with suppress(DamagedArtifactError), understanding_what_is_left(path):
            member = read_member(path)
            return replace(_from_member(member.arrays, member.attributes), where=path)
    return None


def pack_snapshot(snapshot: Snapshot) -> NDArray[np.uint8]:
    """Lay a state out as bytes, (N,) uint8: for another process."""
    import numpy as np

    arrays, attributes = _to_member(snapshot)
    told = np.frombuffer(json.dumps(attributes).encode(), np.uint8)
    return pack_tensors({**arrays, "attributes": told})


def unpack_snapshot(packed: NDArray[np.uint8]) -> Snapshot:
    """Read a state back from such bytes."""
    arrays = unpack_tensors(packed)
    return _from_member(arrays, json.loads(arrays.pop("attributes").tobytes()))


def _states(directory: Path) -> list[Path]:
    found = (path for path in directory.glob("step-*") if _STATE.fullmatch(path.name))
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


def _to_member(snapshot: Snapshot) -> tuple[Tensors, dict[str, Any]]:
    """A state as the arrays and attributes of a member."""
    arrays: Tensors = {
        f"module.{name}": pack_tensors(tensors) for name, tensors in snapshot.modules.items()
    }
    arrays["optimizer"] = pack_tensors(snapshot.optimizer)
    arrays |= {f"curve.{name}": curve for name, curve in snapshot.curves.items()}
    return arrays, {"step": snapshot.step, "scaler": dict(snapshot.scaler)}


def _from_member(arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]) -> Snapshot:
    def part(prefix: str) -> dict[str, NDArray[Any]]:
        found = arrays.items()
        return {key.removeprefix(prefix): array for key, array in found if key.startswith(prefix)}

    if type(attributes["step"]) is not int or not isinstance(attributes["scaler"], dict):
        raise ValueError(f"step {str(attributes['step'])[:80]}, expected a whole number")
    return Snapshot(
        step=attributes["step"],
        modules={name: unpack_tensors(array) for name, array in part("module.").items()},
        optimizer=unpack_tensors(arrays["optimizer"]),
        scaler=attributes["scaler"],
        curves=part("curve."),
    )


def pack_tensors(tensors: Tensors) -> NDArray[np.uint8]:
    """Lay tensors out as the bytes of a safetensors file: (N,) uint8."""
    import numpy as np
    from safetensors.numpy import save as write_safetensors

    whole = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    return np.frombuffer(write_safetensors(whole), np.uint8)


def unpack_tensors(packed: NDArray[np.uint8]) -> Tensors:
    """Read tensors back from such bytes.

    Raises:
        DamagedArtifactError: when they are not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as read_safetensors

    try:
        tensors: Tensors = read_safetensors(packed.tobytes())
    except SafetensorError as error:
        raise DamagedArtifactError(f"stored weights cannot be read: {error}") from error
    return tensors
