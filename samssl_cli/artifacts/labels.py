"""Pseudo-labels: what the generalist and the specialist together say about the unlabeled cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import texts, understanding_what_is_left, understood
from samssl_cli.artifacts.lineage import generalists_of
from samssl_cli.artifacts.members import read_member_attributes
from samssl_cli.artifacts.store import SealedStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.volumes.geometry import Geometry


@dataclass(frozen=True)
class PseudoLabel:
    """The answer for one case, on the preprocessed grid."""

    label: NDArray[np.uint8]
    """(I, J, K)."""
    confidence: NDArray[np.float16]
    """(classes, I, J, K): the probability of each class, in 0-1."""
    acceptance: NDArray[np.uint8]
    """(I, J, K): 1 where `retrain` may learn from it, 0 where the answer was rejected."""
    objects: list[dict[str, Any]]
    """One record per object: class, component, predicted IoU, agreement, and the verdict."""
    geometry: Geometry


class PseudoLabels:
    """A sealed `pseudo.zarr`."""

    @understood
    def __init__(self, path: Path) -> None:
        """Open complete pseudo-labels."""
        self._store = SealedStore(path, "labels")
        self.path = path
        self.fingerprint = self._store.fingerprint
        self.cases_fingerprint: str = self._store.manifest.plan["inputs"]["cases"]
        self.names = self._store.names
        named = self._store.manifest.plan["options"]["sam_label"]["generalist"]
        self.asked: tuple[str, ...] = (named,) if isinstance(named, str) else texts(named)
        """The rows that sam-label was told to ask."""
        self.generalists = generalists_of(self._store.manifest)
        """Those that were asked for the labels, in this round and before it."""
        self.gate: dict[str, Any] | None = self._store.about.get("gate")
        """What a calibrated gate found on the labeled cases; None without one."""

    @understood
    def read(self, name: str) -> PseudoLabel:
        """Read the pseudo-label of a case."""
        from samssl_cli.volumes.geometry import Geometry

        member = self._store.member(name)
        arrays = member.arrays
        geometry = Geometry.from_json(member.attributes["geometry"])
        for key in ("label", "confidence", "acceptance"):
            if arrays[key].shape[-3:] != geometry.shape:
                raise ValueError(f"{key} of {arrays[key].shape}, expected {geometry.shape}")
        return PseudoLabel(
            label=arrays["label"],
            confidence=arrays["confidence"],
            acceptance=arrays["acceptance"],
            objects=member.attributes["objects"],
            geometry=geometry,
        )


def verdicts_of_draft(store: Store, name: str) -> list[bool]:
    """Whether each object of a case was accepted, in a draft, before it is sealed.

    Raises:
        DamagedArtifactError: when nothing says so.
    """
    path = store.member(name)
    with understanding_what_is_left(path):
        found = [record["is_accepted"] for record in read_member_attributes(path)["objects"]]
        if not all(isinstance(one, bool) for one in found):
            raise ValueError(f"verdicts {str(found)[:80]}, expected true or false")
        return found


def write_pseudo_label(store: Store, name: str, pseudo: PseudoLabel) -> None:
    """Write the pseudo-label of one case."""
    arrays: dict[str, NDArray[Any]] = {
        "label": pseudo.label,
        "confidence": pseudo.confidence,
        "acceptance": pseudo.acceptance,
    }
    facts = {"objects": pseudo.objects, "geometry": pseudo.geometry.to_json()}
    store.write(name, arrays, facts)
