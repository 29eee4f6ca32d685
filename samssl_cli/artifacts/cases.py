"""Preprocessed cases, as training, prompting and labelling see them.

    cases.zarr/visible/CASE     image, geometry, and the label of a labeled case
    cases.zarr/heldout/CASE     every other label: see `heldout.py`, which they cannot import

`Cases` opens `visible` as a store of its own. It has no held-out group, an `UnlabeledCase` has no
label, and the fingerprint that later stages record does not cover the held-out labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import texts, understood
from samssl_cli.artifacts.manifest import digest, read_manifest
from samssl_cli.artifacts.members import Member
from samssl_cli.artifacts.store import SealedStore
from samssl_cli.errors import DamagedArtifactError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.volumes.geometry import Geometry

VISIBLE = "visible"

_MOST_CLASSES = 256  # labels are uint8
_CT = ("low", "high", "mean", "std")


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
    def from_json(cls, about: Mapping[str, Any]) -> DatasetFacts:
        """Read what `to_json` gave; other keys of `about` are ignored.

        Raises:
            ValueError: when a value is of another type; `KeyError`, when one is not there.
        """
        channels, classes = texts(about["channel_names"]), texts(about["class_names"])
        if not channels or not 2 <= len(classes) <= _MOST_CLASSES:
            raise ValueError(f"{len(channels)} channels and {len(classes)} classes")
        preprocessing = about["preprocessing"]
        _check_preprocessing(preprocessing, len(channels))
        return cls(str(about["dataset"]), channels, classes, preprocessing)


def _check_preprocessing(facts: Mapping[str, Any], num_channels: int) -> None:
    """Raise a `ValueError` or `KeyError` for facts that no image can be prepared with."""
    spacing, windows = facts["spacing_mm"], facts["ct_windows"]
    numbers = [*(spacing or (1.0, 1.0, 1.0)), *(one[key] for one in windows if one for key in _CT)]
    if not all(type(one) in (int, float) and math.isfinite(one) for one in numbers):
        raise ValueError(f"spacing {str(spacing)[:80]} or CT windows that are no numbers")
    if len(windows) != num_channels or (spacing is not None and len(spacing) != 3):
        raise ValueError(f"{len(windows)} CT windows of {num_channels} channels")
    if spacing is not None and min(spacing) <= 0:
        raise ValueError(f"spacing {str(spacing)[:80]}, expected numbers above 0")


class Cases:
    """The visible part of `cases.zarr`."""

    @understood
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
        self.labeled: tuple[str, ...] = texts(roles["labeled"])
        self.unlabeled: tuple[str, ...] = texts(roles["unlabeled"])
        self.test: tuple[str, ...] = texts(roles["test"])
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

    @understood
    def read_unlabeled(self, name: str) -> UnlabeledCase:
        """Read the image of any case."""
        member = self._store.member(name)
        geometry = _geometry(member.attributes)
        return UnlabeledCase(name, self._image(member, geometry), geometry)

    @understood
    def geometry(self, name: str) -> Geometry:
        """How any case lies in its file; its image is not read."""
        return _geometry(self._store.attributes(name))

    def read_labeled(self, name: str) -> LabeledCase:
        """Read a labeled case."""
        assert name in self.labeled, name
        return self._read_labeled(name)

    @understood
    def _read_labeled(self, name: str) -> LabeledCase:
        member = self._store.member(name)
        geometry = _geometry(member.attributes)
        label = member.arrays["label"]
        if label.dtype != "uint8" or label.shape != geometry.shape:
            raise ValueError(f"label of {label.dtype} {label.shape}, expected {geometry.shape}")
        return LabeledCase(name, self._image(member, geometry), label, geometry)

    def _image(self, member: Member, geometry: Geometry) -> NDArray[np.float16]:
        """The image of a case, if it is one of these channels on the grid of its geometry."""
        image = member.arrays["image"]
        expected = (len(self.facts.channel_names), *geometry.shape)
        if image.dtype != "float16" or image.shape != expected:
            raise ValueError(f"image of {image.dtype} {image.shape}, expected {expected}")
        return image


def _geometry(attributes: Mapping[str, Any]) -> Geometry:
    """How a case lies in its file, from the attributes of its member."""
    from samssl_cli.volumes.geometry import Geometry

    return Geometry.from_json(attributes["geometry"])


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
