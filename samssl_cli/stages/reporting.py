"""`samssl evaluate --report DIR`: gather what the page shows, and have it drawn.

Reads held-out references to draw them, as `evaluate` may; nothing here is an input of a stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.forms import understanding
from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import UsageError
from samssl_cli.methods import METHODS
from samssl_cli.metrics.columns import Column, column
from samssl_cli.metrics.intervals import mean_interval
from samssl_cli.metrics.score import ClassScore, Summary, largest_value, summarise
from samssl_cli.progress import Progress
from samssl_cli.report.contents import CaseView, Click, Contents, Curve, Layer, ScoredRow
from samssl_cli.report.diagnosis import quality_tables, reliabilities
from samssl_cli.report.page import write_report
from samssl_cli.report.provenance import facts, notices
from samssl_cli.stages.comparable import (
    check_classes,
    check_references,
    common_cases,
    common_columns,
    note_other_options,
)
from samssl_cli.volumes.datasets.dataset import UNNAMED
from samssl_cli.volumes.geometry import from_native_label

_WINDOW_PERCENTILES = (0.5, 99.5)


def report(
    cases_path: Path,
    what_path: Path,
    scores_path: Path,
    directory: Path,
    *,
    beside: Mapping[str, Path],
    progress: Progress,
) -> Path:
    """Write `report.html` and the figures of a score into `directory`; give the page's path.

    Args:
        cases_path: `cases.zarr`.
        what_path: what was scored: its training curves are shown.
        scores_path: `scores.zarr`.
        directory: made if needed.
        beside: name to the scores of another model on the same cases, such as the supervised one.
        progress: where to report.

    Raises:
        UsageError: when scores beside are of other classes or metrics, or of another tolerance.
        DataError: when they are of other cases or references.
        DamagedArtifactError: when the scores are none that samssl wrote.
    """
    scores = Scores(scores_path)
    with understanding(scores_path):
        contents = _contents(cases_path, what_path, scores, beside, progress)
    return write_report(contents, directory)


def _contents(
    cases_path: Path,
    what_path: Path,
    scores: Scores,
    beside: Mapping[str, Path],
    progress: Progress,
) -> Contents:
    rows = [_own_row(scores, name) for name in scores.about["rows"]]
    rows += [_row_beside(scores, name, Scores(path), progress) for name, path in beside.items()]
    return Contents(
        title=_title(scores, what_path),
        subtitle=_subtitle(scores, what_path),
        columns=_columns(scores),
        classes=tuple(scores.about["class_names"][1:]),
        cases=scores.names,
        rows=tuple(rows),
        headline=scores.about["headline"],
        facts=facts(scores),
        notices=notices(scores),
        curves=_curves(what_path),
        reliability=reliabilities(scores),
        tables=quality_tables(scores),
        views=_views(Cases(cases_path), HeldOutLabels(cases_path), scores),
    )


def _title(scores: Scores, what_path: Path) -> str:
    dataset = scores.about["known_as"]
    return what_path.name if dataset == UNNAMED else f"{dataset}: {what_path.name}"


def _subtitle(scores: Scores, what_path: Path) -> str:
    """`student.zarr (pseudo-labels) on 12 cases, Dice over ...` in words."""
    num = len(scores.names)
    cases = "1 case" if num == 1 else f"{num} cases"
    return f"{what_path.name} ({scores.about['scored']}), scored on {cases}"


def _columns(scores: Scores) -> tuple[Column, ...]:
    """The columns of the scores; that of NSD says its tolerance."""
    found = [column(name) for name in scores.about["metrics"]]
    unit = "voxels" if any(one.unit == "voxels" for one in found) else "mm"
    title = f"NSD at {scores.about['tolerance']:g} {unit} (%)"
    return tuple(replace(one, title=title) if one.metric == "nsd" else one for one in found)


def _own_row(scores: Scores, name: str) -> ScoredRow:
    meaning = scores.about["meaning"][name]
    return _scored_row(scores, name, row=name, cases=scores.names, **meaning)


def _row_beside(scores: Scores, name: str, other: Scores, progress: Progress) -> ScoredRow:
    """The headline of another model's scores, its cases in our order."""
    if name in scores.about["rows"]:
        raise UsageError(f"--beside {name}={other.path}: a row has this name; choose another")
    both = [scores, other]
    check_classes(both)
    common_columns(both, scores.about["metrics"])
    common_cases(both, on_common_cases=False)
    check_references(both, scores.names, progress)
    note_other_options(both, other.about["headline"], progress)
    kind, explanation = _told(other.about)
    row = other.about["headline"]
    return _scored_row(other, name, row=row, cases=scores.names, kind=kind, explanation=explanation)


def _told(about: Mapping[str, Any]) -> tuple[Any, str]:
    """What a model beside is, for its row."""
    trained = f"{about.get('method')}, {about.get('steps')} steps, seed {about['seed']}"
    if about["stage"] == "retrain":
        return "prediction", f"Another student ({trained})."
    if about["stage"] != "train-ssl":
        return "sanity", f"The {about['scored']} of another run."
    if METHODS[about["method"]].learns_from_unlabeled:
        return "sanity", f"Semi-supervised training alone, before any generalist ({trained})."
    return "sanity", f"Supervised training on the labeled cases alone ({trained})."


def _scored_row(
    scores: Scores, name: str, *, row: str, cases: Sequence[str], kind: Any, explanation: str
) -> ScoredRow:
    records = [[ClassScore(**record) for record in scores.rows(case)[row]] for case in cases]
    summary, metrics = summarise(records), scores.about["metrics"]

    values = np.array([[[one.values[m] for m in metrics] for one in case] for case in records])
    bounds = (0, [largest_value(m) for m in metrics])
    overall_low, overall_high = mean_interval(values.mean(axis=1), bounds=bounds)

    def over_cases(what: str) -> NDArray[np.float64]:
        return _table(summary, what, metrics)

    return ScoredRow(
        name=name,
        kind=kind,
        explanation=explanation,
        values=values,
        missed=np.array([[one.missed for one in case] for case in records]),
        mean=over_cases("mean"),
        std=over_cases("std"),
        median=over_cases("median"),
        low=over_cases("low"),
        high=over_cases("high"),
        overall_low=overall_low,
        overall_high=overall_high,
    )


def _table(summary: Summary, what: str, metrics: Sequence[str]) -> NDArray[np.float64]:
    """(classes, metrics)."""
    return np.array([[getattr(one, what)[m] for m in metrics] for one in summary.classes])


def _curves(what_path: Path) -> tuple[Curve, ...]:
    if read_manifest(what_path).kind != "checkpoint":
        return ()
    return tuple(Curve(name, values) for name, values in Checkpoint(what_path).curves().items())


def _views(cases: Cases, references: HeldOutLabels, scores: Scores) -> tuple[CaseView, ...]:
    """The best, the median and the worst case by mean Dice of the headline row."""
    means = {name: _mean_dice(scores, name) for name in scores.names}
    ranked = sorted(scores.names, key=lambda name: (-means[name], name))
    chosen = {ranked[0]: "best"} if len(ranked) > 1 else {ranked[0]: "only"}
    if len(ranked) > 2:
        chosen[ranked[(len(ranked) - 1) // 2]] = "median"
    chosen.setdefault(ranked[-1], "worst")
    return tuple(_view(cases, references, scores, name, rank) for name, rank in chosen.items())


def _mean_dice(scores: Scores, name: str) -> float:
    records = scores.rows(name)[scores.about["headline"]]
    return float(np.mean([record["values"]["dice"] for record in records]))


def _view(
    cases: Cases, references: HeldOutLabels, scores: Scores, name: str, rank: str
) -> CaseView:
    case, scored = cases.read_unlabeled(name), scores.read(name)
    num_classes = cases.facts.num_classes

    def here(label: NDArray[Any]) -> NDArray[np.uint8]:
        return from_native_label(label.astype(np.uint8), case.geometry, num_classes)

    layers = [
        Layer("prediction", here(scored.prediction)),
        Layer("reference", here(references.read(name))),
    ]
    if scored.pseudo_label is not None:
        layers.append(Layer("pseudo-label", here(scored.pseudo_label)))
    return CaseView(
        name=name,
        rank=rank,
        summary=_in_words(scores, name),
        image=_for_the_eye(case.image[0].astype(np.float32)),
        spacing_mm=case.geometry.spacing_mm,
        layers=tuple(layers),
        clicks=tuple(_clicks(scored.prompts)),
        boxes=tuple(_boxes(scored.prompts)),
    )


def _in_words(scores: Scores, name: str) -> str:
    """The mean over the classes of each metric of the headline row."""
    records = scores.rows(name)[scores.about["headline"]]
    shown = (
        f"{one.title} {one.shown(float(np.mean([r['values'][one.name] for r in records])))}"
        for one in _columns(scores)
        if one.metric in ("dice", "hd95_mm", "nsd")
    )
    return ", ".join(shown)


def _for_the_eye(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The image between two of its percentiles as 0-255; a constant one is black."""
    low, high = np.percentile(image, _WINDOW_PERCENTILES)
    scaled = (image - low) / max(float(high - low), np.finfo(np.float32).tiny)
    shades: NDArray[np.uint8] = (255 * scaled.clip(0, 1)).astype(np.uint8)
    return shades


def _clicks(prompts: Sequence[Mapping[str, Any]]) -> list[Click]:
    return [
        Click((i, j, k), is_positive)
        for one in prompts
        for (i, j, k), is_positive in zip(one["points"], one["is_positive"], strict=True)
    ]


def _boxes(
    prompts: Sequence[Mapping[str, Any]],
) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    boxes = (one["box"] for one in prompts if one["box"] is not None)
    return [((a, b, c), (d, e, f)) for (a, b, c), (d, e, f) in boxes]
