"""What an artifact has to show of each case: label maps, and images for them to lie on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases, DatasetFacts
from samssl_cli.artifacts.forms import understanding
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import Manifest, read_manifest
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import StaleArtifactError, UsageError
from samssl_cli.stages.inputs import check_made_from
from samssl_cli.volumes.geometry import (
    Geometry,
    from_native_label,
    to_native_label,
    to_native_probability,
)
from samssl_cli.volumes.grid import NativeGrid
from samssl_cli.volumes.voxels import likeliest

Label = NDArray[np.uint8]
Native = tuple[Label, NativeGrid]


@dataclass(frozen=True)
class Backdrop:
    """What a label map is looked at on, on the preprocessed grid."""

    image: NDArray[np.float32]
    """(C, I, J, K)."""
    channel_names: tuple[str, ...]
    geometry: Geometry


@dataclass(frozen=True)
class Exportable:
    """The volumes of an artifact, case by case."""

    manifest: Manifest
    label_name: str
    """What the label maps are: `label`, `prediction` or `pseudo-label`."""
    class_names: tuple[str, ...]
    labelled: tuple[str, ...]
    """The cases that have a label map."""
    native_label: Callable[[str], Native]
    """The label map of a case on the grid of its image."""
    label: Callable[[str, Geometry], Label]
    """The same on the preprocessed grid."""
    images: Callable[[str], Backdrop] | None = None
    """The preprocessed image of a case; None when the artifact has none and no cases were given."""
    probabilities: Callable[[str], Backdrop] | None = None
    """Stands in for the image."""
    only_images: tuple[str, ...] = ()
    """The cases that have an image, and no label map."""


def open_exportable(artifact: Path, cases_path: Path | None) -> Exportable:
    """Open an artifact, and the cases that it was made from when they are given.

    Raises:
        UsageError: for a checkpoint or a generalist, which have no volumes.
        StaleArtifactError: when it was made from other cases.
    """
    manifest = read_manifest(artifact)
    if manifest.kind not in _READERS:
        raise UsageError(
            f"{artifact} holds a {manifest.kind}, which has no label maps; "
            f"use: samssl {_INSTEAD[manifest.kind].format(artifact)}"
        )
    cases = None if cases_path is None else Cases(cases_path)
    return _READERS[manifest.kind](artifact, manifest, cases)


def _of_cases(path: Path, manifest: Manifest, _: Cases | None) -> Exportable:
    """The given labels, and the images of all cases; held-out labels are not looked at."""
    cases = Cases(path)

    def native_label(name: str) -> Native:
        case = cases.read_labeled(name)
        native = to_native_label(case.label, case.geometry, cases.facts.num_classes)
        return native, case.geometry.native

    return Exportable(
        manifest=manifest,
        label_name="label",
        class_names=cases.facts.class_names,
        labelled=cases.labeled,
        native_label=native_label,
        label=lambda name, _: cases.read_labeled(name).label,
        images=_images_of(cases),
        only_images=cases.unlabeled + cases.test,
    )


def _of_prompts(path: Path, manifest: Manifest, cases: Cases | None) -> Exportable:
    """The specialist's predictions."""
    prompts, facts = PromptSet(path), _facts(path, manifest)
    if cases is not None:
        check_made_from(cases, path, prompts.cases_fingerprint, cure="samssl prompt")

    def probabilities(name: str) -> Backdrop:
        return Backdrop(prompts.probability(name), facts.class_names, prompts.geometry(name))

    return Exportable(
        manifest=manifest,
        label_name="prediction",
        class_names=facts.class_names,
        labelled=prompts.names,
        native_label=lambda name: _native(prompts.probability(name), prompts.geometry(name)),
        label=lambda name, _: likeliest(prompts.probability(name)),
        images=None if cases is None else _images_of(cases),
        probabilities=probabilities,
    )


def _of_labels(path: Path, manifest: Manifest, cases: Cases | None) -> Exportable:
    """The pseudo-labels."""
    labels, facts = PseudoLabels(path), _facts(path, manifest)
    if cases is not None:
        check_made_from(cases, path, labels.cases_fingerprint, cure="samssl sam-label")

    def native_label(name: str) -> Native:
        pseudo = labels.read(name)
        return _native(pseudo.confidence.astype(np.float32), pseudo.geometry)

    def probabilities(name: str) -> Backdrop:
        pseudo = labels.read(name)
        return Backdrop(pseudo.confidence.astype(np.float32), facts.class_names, pseudo.geometry)

    return Exportable(
        manifest=manifest,
        label_name="pseudo-label",
        class_names=facts.class_names,
        labelled=labels.names,
        native_label=native_label,
        label=lambda name, _: labels.read(name).label,
        images=None if cases is None else _images_of(cases),
        probabilities=probabilities,
    )


def _of_scores(path: Path, manifest: Manifest, cases: Cases | None) -> Exportable:
    """The predictions that were scored, which lie on the native grid."""
    scores, facts = Scores(path), _facts(path, manifest)
    if cases is not None:
        _check_scored(cases, path, manifest)

    def native_label(name: str) -> Native:
        case = scores.read(name)
        return case.prediction, case.grid

    return Exportable(
        manifest=manifest,
        label_name="prediction",
        class_names=facts.class_names,
        labelled=scores.names,
        native_label=native_label,
        label=lambda name, geometry: from_native_label(
            scores.read(name).prediction, geometry, facts.num_classes
        ),
        images=None if cases is None else _images_of(cases),
    )


_READERS: Mapping[str, Callable[[Path, Manifest, Cases | None], Exportable]] = {
    "cases": _of_cases,
    "prompts": _of_prompts,
    "labels": _of_labels,
    "scores": _of_scores,
}

_INSTEAD = {
    "visible-cases": "export CASES --to DIR",
    "held-out-labels": "export CASES --to DIR",
    "checkpoint": "predict {} IMAGES -o DIR",
    "generalist": "weights convert {} -o FILE.safetensors",
}


def _facts(path: Path, manifest: Manifest) -> DatasetFacts:
    with understanding(path):
        return DatasetFacts.from_json(manifest.about)


def _images_of(cases: Cases) -> Callable[[str], Backdrop]:
    def read(name: str) -> Backdrop:
        case = cases.read_unlabeled(name)
        return Backdrop(case.image.astype(np.float32), cases.facts.channel_names, case.geometry)

    return read


def _check_scored(cases: Cases, path: Path, manifest: Manifest) -> None:
    """Raise a `StaleArtifactError` when other cases, or other references, were scored."""
    scored, given = manifest.plan["inputs"]["cases"], read_manifest(cases.path).fingerprint
    if scored != given:
        raise StaleArtifactError(
            f"{path} was made from other cases ({scored[:12]}) than {cases.path} ({given[:12]}); "
            "run `samssl evaluate` again with --force"
        )


def _native(probability: NDArray[np.float32], geometry: Geometry) -> Native:
    return likeliest(to_native_probability(probability, geometry)), geometry.native
