"""What was diagnosed on held-out masks, over all cases: for the JSON and the page.

Counts are added up over the cases; a share is the share of the sums.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from samssl_cli.artifacts.forms import understanding
from samssl_cli.artifacts.scores import Scores
from samssl_cli.metrics.calibration import ReliabilityCounts
from samssl_cli.metrics.quality import AcceptanceRate, PromptQuality, PseudoLabelQuality
from samssl_cli.report.contents import QualityTable, Reliability

READ_ONLY = "Diagnosis on held-out masks: to be read only; no stage can use it."


def diagnosis_as_json(scores: Scores) -> dict[str, Any]:
    """Everything that was diagnosed, class by class, as JSON values."""
    found = {
        "reliability": {name: _curve_json(one) for name, one in _curves(scores).items()},
        "prompts": {name: _prompts_json(one) for name, one in _prompts(scores).items()},
        "pseudo_labels": {name: _pseudo_json(one) for name, one in _pseudo_labels(scores).items()},
    }
    return {"note": READ_ONLY, **{kind: by_class for kind, by_class in found.items() if by_class}}


def reliabilities(scores: Scores) -> tuple[Reliability, ...]:
    """The reliability curve of each class that has a voxel near it."""
    return tuple(
        Reliability(name, one.confidence, one.frequency, one.count, one.ece)
        for name, one in _curves(scores).items()
        if one.count.any()
    )


def quality_tables(scores: Scores) -> tuple[QualityTable, ...]:
    """The tables of prompts and pseudo-labels, where there are any."""
    with understanding(scores.path):
        is_own = scores.about["scored"] == "checkpoint"
    whose = "that this prediction would lead to" if is_own else "that were scored"
    prompts, pseudo = _prompts(scores), _pseudo_labels(scores)
    tables = (
        (prompts, f"Prompts {whose}", _PROMPT_CELLS),
        (pseudo, f"Pseudo-labels {whose}", _PSEUDO_CELLS),
    )
    return tuple(_table(title, cells, by_class) for by_class, title, cells in tables if by_class)


def check_diagnosis(diagnosis: Mapping[str, Any], *, class_names: Sequence[str]) -> None:
    """Read what is to be reported of one case.

    Args:
        diagnosis: see `stages.diagnosis`.
        class_names: background first.

    Raises:
        KeyError, TypeError, ValueError: when it is nothing that samssl diagnosed.
    """
    for kind, by_class in diagnosis.items():
        for name in class_names[1:]:
            for read in _READ[kind]:
                read(by_class[name])


_READ: Mapping[str, tuple[Callable[[Mapping[str, Any]], Any], ...]] = {
    "reliability": (ReliabilityCounts.from_json,),
    "prompts": (PromptQuality.from_json,),
    "pseudo_labels": (PseudoLabelQuality.from_json, AcceptanceRate.from_json),
}


def _curves(scores: Scores) -> dict[str, ReliabilityCounts]:
    return {
        name: reduce(add, map(ReliabilityCounts.from_json, cases))
        for name, cases in _by_class(scores, "reliability")
    }


def _prompts(scores: Scores) -> dict[str, PromptQuality]:
    return {
        name: PromptQuality.pooled(map(PromptQuality.from_json, cases))
        for name, cases in _by_class(scores, "prompts")
    }


def _pseudo_labels(scores: Scores) -> dict[str, tuple[PseudoLabelQuality, AcceptanceRate]]:
    return {
        name: (
            PseudoLabelQuality.pooled(map(PseudoLabelQuality.from_json, cases)),
            AcceptanceRate.pooled(map(AcceptanceRate.from_json, cases)),
        )
        for name, cases in _by_class(scores, "pseudo_labels")
    }


def _by_class(scores: Scores, kind: str) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Each class with its records of all cases; nothing when this was not diagnosed."""
    class_names = scores.about["class_names"]
    cases = [scores.diagnosis(name) for name in scores.names]
    with understanding(scores.path):
        if not cases:
            raise ValueError("no cases")
        for case in cases:
            check_diagnosis(case, class_names=class_names)
    if all(kind in case for case in cases):
        for name in class_names[1:]:
            yield name, [case[kind][name] for case in cases]


def _curve_json(counts: ReliabilityCounts) -> dict[str, Any]:
    return {**counts.to_json(), "ece": counts.ece}


def _prompts_json(quality: PromptQuality) -> dict[str, Any]:
    shares = ("positive_share", "negative_share", "box_iou", "mask_dice")
    return {**vars(quality), **{name: getattr(quality, name) for name in shares}}


def _pseudo_json(found: tuple[PseudoLabelQuality, AcceptanceRate]) -> dict[str, Any]:
    quality, rate = found
    shares = ("coverage", "accepted_share", "dice", "dice_accepted", "dice_rejected")
    return {
        **vars(quality),
        **vars(rate),
        **{name: getattr(quality, name) for name in shares},
        "acceptance_rate": rate.share,
    }


Cells = Mapping[str, Callable[[Any], str]]

_PROMPT_CELLS: Cells = {
    "objects": lambda one: str(one.num_objects),
    "positive points inside": lambda one: _of(one.positive_share, one.num_positive),
    "negative points outside": lambda one: _of(one.negative_share, one.num_negative),
    "box IoU": lambda one: _of(one.box_iou, one.num_boxes),
    "mask Dice": lambda one: _percent(one.mask_dice),
    "components missed": lambda one: f"{one.missed_components} of {one.num_components}",
}
_PSEUDO_CELLS: Cells = {
    "objects accepted": lambda one: f"{one[1].num_accepted} of {one[1].num_objects}",
    "reference covered": lambda one: _percent(one[0].coverage),
    "voxels accepted": lambda one: _percent(one[0].accepted_share),
    "Dice": lambda one: _percent(one[0].dice),
    "Dice where accepted": lambda one: _percent(one[0].dice_accepted),
    "Dice where rejected": lambda one: _percent(one[0].dice_rejected),
}


def _table(title: str, cells: Cells, by_class: Mapping[str, Any]) -> QualityTable:
    rows = [(name, *(cell(one) for cell in cells.values())) for name, one in by_class.items()]
    return QualityTable(title, READ_ONLY, ("class", *cells), tuple(rows))


def _percent(share: float | None) -> str:
    """A share in percent, or a dash when there was nothing to compare."""
    return "-" if share is None else f"{100 * share:.1f} %"


def _of(share: float | None, num: int) -> str:
    return _percent(share) if share is None else f"{_percent(share)} of {num}"
