"""What the specialist says of the unlabeled cases: its predictions, and the prompts from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import understood
from samssl_cli.artifacts.lineage import generalists_of
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.recipe import Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.prompts.types import ObjectPrompts
    from samssl_cli.volumes.geometry import Geometry

_OWN = ("probability", "uncertainty")


class PromptSet:
    """A sealed `prompts.zarr`."""

    @understood
    def __init__(self, path: Path) -> None:
        """Open a complete prompt set."""
        self._store = SealedStore(path, "prompts")
        self.path = path
        self.fingerprint = self._store.fingerprint
        self.cases_fingerprint: str = self._store.manifest.plan["inputs"]["cases"]
        self.names = self._store.names
        self.generalists = generalists_of(self._store.manifest)
        self.options = Prompt.model_validate(self._store.manifest.plan["options"]["prompt"])
        """How the prompts were placed."""

    @understood
    def objects(self, name: str) -> tuple[ObjectPrompts, ...]:
        """The prompts for every object that the specialist found in a case; possibly none."""
        from samssl_cli.prompts.serialize import unpack

        member = self._store.member(name)
        arrays = {key: array for key, array in member.arrays.items() if key not in _OWN}
        described = member.attributes["prompts"]
        shape = member.arrays["probability"].shape[1:]
        if tuple(described["shape"]) != shape:
            raise ValueError(f"prompts on {str(described['shape'])[:80]}, expected {shape}")
        return unpack(arrays, described)

    @understood
    def geometry(self, name: str) -> Geometry:
        """How the grid of a case relates to its native image."""
        from samssl_cli.volumes.geometry import Geometry

        return Geometry.from_json(self._store.attributes(name)["geometry"])

    @understood
    def probability(self, name: str) -> NDArray[np.float32]:
        """The specialist's probabilities (classes, I, J, K)."""
        from samssl_cli.volumes.geometry import Geometry

        member = self._store.member(name)
        probability: NDArray[Any] = member.arrays["probability"]
        shape = Geometry.from_json(member.attributes["geometry"]).shape
        if probability.ndim != 4 or probability.shape[1:] != shape:
            raise ValueError(f"probability of {probability.shape}, expected {shape}")
        return probability.astype("float32")


def write_prompts(
    store: Store,
    name: str,
    *,
    probability: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    objects: tuple[ObjectPrompts, ...],
    geometry: Geometry,
    notes: Sequence[str] = (),
) -> None:
    """Write the predictions and prompts of one case; `notes` say what did not go as planned."""
    from samssl_cli.prompts.serialize import pack

    i, j, k = uncertainty.shape
    arrays, attributes = pack(objects, (i, j, k))
    own = {
        "probability": probability.astype("float16"),
        "uncertainty": uncertainty.astype("float16"),
    }
    facts = {
        "prompts": attributes,
        "num_objects": len(objects),
        "geometry": geometry.to_json(),
        **({"notes": list(notes)} if notes else {}),
    }
    store.write(name, {**own, **arrays}, facts)
