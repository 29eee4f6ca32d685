"""`samssl export`: what an artifact holds, as NIfTI label maps in the native grid."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import UsageError
from samssl_cli.progress import Progress
from samssl_cli.volumes import nifti
from samssl_cli.volumes.geometry import Geometry, to_native_label, to_native_probability
from samssl_cli.volumes.grid import NativeGrid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Labelled = tuple[NDArray[np.uint8], NativeGrid]
    Source = tuple[tuple[str, ...], Callable[[str], Labelled]]


def export(artifact: Path, to: Path, *, force: bool, progress: Progress) -> list[Path]:
    """Write one `CASE.nii.gz` for each case of an artifact into the folder `to`.

    What is written: of cases the given labels, of prompts the specialist's prediction, of
    pseudo-labels the labels, of scores the predictions that were scored.

    Returns:
        The paths of the label maps.

    Raises:
        UsageError: for a checkpoint, which holds no label maps; and when a file is there already,
            which may be somebody's work, without `force`.
    """
    kind = read_manifest(artifact).kind
    if kind not in _SOURCES:
        raise UsageError(
            f"{artifact} holds a {kind}, which has no label maps; "
            f"use: samssl predict {artifact} IMAGES -o DIR"
        )
    names, read = _SOURCES[kind](artifact)
    targets = {name: to / f"{name}.nii.gz" for name in names}
    there = [path for path in targets.values() if path.exists()]
    if there and not force:
        raise UsageError(
            f"{there[0]}: exists already, and {len(there) - 1} more of {len(targets)}; "
            "name another folder, or replace them with --force"
        )
    to.mkdir(parents=True, exist_ok=True)
    progress.start("exporting", total=len(targets))
    for name, path in targets.items():
        nifti.write_label(path, *read(name))
        progress.advance({"case": name})
    return list(targets.values())


def _from_cases(path: Path) -> "Source":
    cases = Cases(path)

    def read(name: str) -> "Labelled":
        case = cases.read_labeled(name)
        native = to_native_label(case.label, case.geometry, cases.facts.num_classes)
        return native, case.geometry.native

    return cases.labeled, read


def _from_prompts(path: Path) -> "Source":
    prompts = PromptSet(path)
    return prompts.names, lambda n: _native(prompts.probability(n), prompts.geometry(n))


def _from_labels(path: Path) -> "Source":
    labels = PseudoLabels(path)

    def read(name: str) -> "Labelled":
        import numpy as np

        pseudo = labels.read(name)
        return _native(pseudo.confidence.astype(np.float32), pseudo.geometry)

    return labels.names, read


def _from_scores(path: Path) -> "Source":
    scores = Scores(path)

    def read(name: str) -> "Labelled":
        case = scores.read(name)
        return case.prediction, case.grid

    return scores.names, read


def _native(probability: "NDArray[np.float32]", geometry: Geometry) -> "Labelled":
    import numpy as np

    native = to_native_probability(probability, geometry)
    return native.argmax(axis=0).astype(np.uint8), geometry.native


_SOURCES: "dict[str, Callable[[Path], Source]]" = {
    "cases": _from_cases,
    "prompts": _from_prompts,
    "labels": _from_labels,
    "scores": _from_scores,
}
