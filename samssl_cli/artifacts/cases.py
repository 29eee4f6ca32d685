"""Preprocessed cases, as training, prompting and labelling see them.

    cases.zarr/visible/CASE     image, geometry, and the label of a labeled case
    cases.zarr/heldout/CASE     every other label: see `heldout.py`, which they cannot import

`Cases` opens `visible` as a store of its own. It has no held-out group, an `UnlabeledCase` has no
label, and the fingerprint that later stages record does not cover the held-out labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.manifest import digest, read_manifest
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.errors import DamagedArtifactError
from samssl_cli.volumes.geometry import Geometry

VISIBLE = "visible"


@dataclass(frozen=True)
class UnlabeledCase:
    """A case whose label is not to be had."""

    name: str
    image: NDArray[np.float16]
    """(C, I, J, K), RAS+."""
    geometry: Geometry


@dataclass(frozen=True)
class LabeledCase:
    """A case that the lab outlined and gave to the training."""

    name: str
    image: NDArray[np.float16]
    """(C, I, J, K), RAS+."""
    label: NDArray[np.uint8]
    """(I, J, K)."""
    geometry: Geometry


@dataclass(frozen=True)
class DatasetFacts:
    """What all cases have in common."""

    name: str
    channel_names: tuple[str, ...]
    class_names: tuple[str, ...]
    """Index is the label value; background first."""
    preprocessing: Mapping[str, Any]
    """All that is needed to bring a new image to the same grid and intensity scale."""

    @property
    def num_classes(self) -> int:
        """Classes, background included."""
        return len(self.class_names)

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        return {
            "dataset": self.name,
            "channel_names": list(self.channel_names),
            "class_names": list(self.class_names),
            "preprocessing": dict(self.preprocessing),
        }

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> "DatasetFacts":
        """Read what `to_json` gave; other keys of `about` are ignored."""
        return cls(
            name=about["dataset"],
            channel_names=tuple(about["channel_names"]),
            class_names=tuple(about["class_names"]),
            preprocessing=about["preprocessing"],
        )


class Cases:
    """The visible part of `cases.zarr`."""

    def __init__(self, path: Path) -> None:
        """Open a complete `cases.zarr`.

        Raises:
            MissingArtifactError: when there is none at the path.
        """
        read_manifest(path, "cases")  # a stray `visible` folder is not a set of cases
        self._store = SealedStore(path / VISIBLE, "visible-cases")
        self.path = path
        self.fingerprint = self._store.fingerprint
        self.facts = DatasetFacts.from_json(self._store.about)
        self.spacing_is_known: bool = self._store.about.get("spacing_is_known", True)
        """False for a layout that stores none, where 1 mm stands in."""
        roles = self._store.about["roles"]
        self.labeled: tuple[str, ...] = tuple(roles["labeled"])
        self.unlabeled: tuple[str, ...] = tuple(roles["unlabeled"])
        self.test: tuple[str, ...] = tuple(roles["test"])
        unknown = set(self.names) - set(self._store.names)
        if unknown:
            raise DamagedArtifactError(
                f"{path}: gives a role to {min(unknown)!r}, a case that it does not hold; "
                "run samssl preprocess again with --force"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """All cases: labeled, unlabeled, test."""
        return self.labeled + self.unlabeled + self.test

    @property
    def labeled_fingerprint(self) -> str:
        """Of the labeled cases alone: their names, images and labels."""
        members = self._store.manifest.members
        return digest({name: members[name] for name in self.labeled})

    def read_unlabeled(self, name: str) -> UnlabeledCase:
        """Read the image of any case."""
        member = self._store.member(name)
        geometry = Geometry.from_json(member.attributes["geometry"])
        return UnlabeledCase(name, member.arrays["image"], geometry)

    def geometry(self, name: str) -> Geometry:
        """How any case lies in its file; its image is not read."""
        return Geometry.from_json(self._store.attributes(name)["geometry"])

    def read_labeled(self, name: str) -> LabeledCase:
        """Read a labeled case."""
        assert name in self.labeled, name
        member = self._store.member(name)
        geometry = Geometry.from_json(member.attributes["geometry"])
        return LabeledCase(name, member.arrays["image"], member.arrays["label"], geometry)


def write_case(
    store: Store,
    name: str,
    *,
    image: NDArray[np.float16],
    geometry: Geometry,
    label: NDArray[np.uint8] | None,
) -> None:
    """Write one case to the visible store; `label` only for a labeled case."""
    arrays: dict[str, NDArray[Any]] = {"image": image}
    if label is not None:
        arrays["label"] = label
    store.write(name, arrays, {"geometry": geometry.to_json()})
