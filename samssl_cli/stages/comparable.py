"""Whether scores can be compared, and on what: rows, metrics, classes, cases and references."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import DataError, UsageError
from samssl_cli.metrics.columns import Column, column
from samssl_cli.progress import Progress
from samssl_cli.stages.score_rows import ASKED, BLURRED, REFINEMENTS

T = TypeVar("T")

OWN_HEADLINE = "headline"
"""The name, instead of a row's, for what each model hands out: plain or refined."""

_MOST_NAMES = 8
_SAME_ML = 1e-6


def check_models(runs: Mapping[str, Sequence[Scores]]) -> None:
    """Raise a `UsageError` unless there are two models or more, and each run is given once."""
    if len(runs) < 2:
        raise UsageError(
            f"only one model is given ({', '.join(runs)}): give the scores of at least two, as in "
            "samssl compare baseline=a/scores.zarr student=b/scores.zarr"
        )
    for name, scored in runs.items():
        seen: dict[str, Scores] = {}
        for scores in scored:
            fingerprint = _what_was_scored(scores)
            if fingerprint in seen:
                raise UsageError(
                    f"{scores.path} and {seen[fingerprint].path} are the same run of {name}: "
                    "give each run once; runs of one model differ in their seed"
                )
            seen[fingerprint] = scores


def _what_was_scored(scores: Scores) -> str:
    fingerprint: str = scores.manifest.plan["inputs"]["what"]
    return fingerprint


def check_classes(everything: Sequence[Scores]) -> None:
    """Raise a `UsageError` when the scores have different classes."""
    classes = _common(everything, lambda scores: scores.about["class_names"])
    if classes is None:
        raise UsageError(
            "the scores have different classes:"
            + _each(everything, lambda scores: ", ".join(scores.about["class_names"][1:]))
            + "\ncompare scores of one data set"
        )


def common_row(everything: Sequence[Scores], row: str | None) -> str:
    """The row to compare: the one asked for, or the headline that all share."""
    chosen = row or _common(everything, lambda scores: scores.about["headline"])
    if chosen is None:
        raise UsageError(
            "the scores have different headlines:"
            + _each(everything, lambda scores: scores.about["headline"])
            + f"\nname the row to compare with --row; --row {OWN_HEADLINE} takes each one's own"
        )
    for scores in everything:
        if row_in(scores, chosen) not in scores.about["rows"]:
            known = ", ".join(scores.about["rows"])
            raise UsageError(f"{scores.path}: has no row {chosen!r}; --row can be {known}")
    return chosen


def row_in(scores: Scores, row: str) -> str:
    """The row of these scores that is compared."""
    headline: str = scores.about["headline"]
    return headline if row == OWN_HEADLINE else row


def common_columns(everything: Sequence[Scores], metrics: Sequence[str]) -> list[Column]:
    """The metrics to compare, which all scores have in the same unit; by default Dice and HD95."""
    there = everything[0].about["metrics"]
    default = [name for name in there if name == "dice" or name.startswith("hd95_")]
    chosen = [column(name) for name in dict.fromkeys(metrics or default)]
    for one in chosen:
        for scores in everything:
            _check_metric(scores, one)
        if one.metric == "nsd" and _common(everything, _tolerance) is None:
            raise UsageError(
                "the nsd of these scores has different tolerances:"
                + _each(everything, _tolerance)
                + "\nevaluate all with the same evaluate.tolerance and evaluate.in_voxels, or "
                "leave nsd out"
            )
    return chosen


def _check_metric(scores: Scores, wanted: Column) -> None:
    there = scores.about["metrics"]
    if wanted.name in there:
        return
    for name in there:
        if column(name).metric == wanted.metric:
            raise UsageError(
                f"{scores.path}: has {name}, where {wanted.name} is compared: evaluate all with "
                "the same --set evaluate.in_voxels, or name metrics without a unit with --metric"
            )
    raise UsageError(f"{scores.path}: has no {wanted.name}; --metric can be {', '.join(there)}")


def _tolerance(scores: Scores) -> str:
    """How close surfaces had to be for nsd, whose name says nothing of the unit."""
    in_voxels = any(column(name).unit == "voxels" for name in scores.about["metrics"])
    return f"{scores.about['tolerance']:g} {'voxels' if in_voxels else 'mm'}"


def places_of_classes(scores: Scores, wanted: Sequence[str]) -> dict[str | None, slice]:
    """Which part of the class axis each line is the mean of; None is the mean over all classes."""
    known = list(scores.about["class_names"][1:])
    for name in wanted:
        if name not in known:
            raise UsageError(f"--class {name}: the classes are {', '.join(known)}")
    everything: dict[str | None, slice] = {} if wanted else {None: slice(None)}
    single = wanted or (known if len(known) > 1 else ())
    return everything | {name: slice(known.index(name), known.index(name) + 1) for name in single}


def common_cases(everything: Sequence[Scores], *, on_common_cases: bool) -> list[str]:
    """The cases to compare on, sorted."""
    common = set.intersection(*(set(scores.names) for scores in everything))
    union = set.union(*(set(scores.names) for scores in everything))
    if not common:
        raise DataError("the scores have no case in common: evaluate the models on the same cases")
    if common != union and not on_common_cases:
        raise DataError(
            f"the scores are of different cases; --on-common-cases compares on the {len(common)} "
            "that all of them have, or evaluate the models on the same cases",
            [
                f"{scores.path} lacks {_listed(union - set(scores.names))}"
                for scores in everything
                if union - set(scores.names)
            ],
        )
    return sorted(common)


def check_references(
    everything: Sequence[Scores], cases: Sequence[str], progress: Progress
) -> None:
    """Make sure that a case is the same case everywhere, where the data sets are not one."""
    first, *others = everything
    different = [scores for scores in others if _made_from(scores) != _made_from(first)]
    expected = _volumes(first, cases) if different else {}
    for scores in different:
        found = _volumes(scores, cases)
        wrong = [case for case in cases if not _agree(found[case], expected[case])]
        if wrong:
            raise DataError(
                f"{scores.path} and {first.path} were scored against different references, on "
                f"{_listed(wrong)}: evaluate both on the same cases.zarr"
            )
        progress.note(
            f"{scores.path} was evaluated on another cases.zarr ({_made_from(scores)[:12]}) than "
            f"{first.path} ({_made_from(first)[:12]}): the names of the cases and the volumes of "
            "their references agree, so they are taken to be the same"
        )


def note_other_options(everything: Sequence[Scores], row: str, progress: Progress) -> None:
    """Tell a person when predictions were made or cleaned in different ways before scoring."""
    of_row = {BLURRED: (_blur,), **dict.fromkeys((*REFINEMENTS, *ASKED), (_asked,))}
    shown = dict.fromkeys(row_in(scores, row) for scores in everything)
    told_of_rows = (told for one in shown for told in of_row.get(one, ()))
    for told in dict.fromkeys((_inference, _cleaning, *told_of_rows)):
        if _common(everything, told) is None:
            progress.note(
                "the predictions were not made and cleaned alike, which may be the difference:"
                + _each(everything, told)
            )


def _inference(scores: Scores) -> str:
    return f"inference {scores.manifest.plan['options'].get('inference')}"


def _cleaning(scores: Scores) -> str:
    return (
        f"largest component of classes {scores.manifest.plan['options'].get('largest_component')}"
    )


def _blur(scores: Scores) -> str:
    return f"blurred by {scores.manifest.plan['options']['evaluate']['blur_sigma_voxels']} voxels"


def _asked(scores: Scores) -> str:
    options, weights = scores.manifest.plan["options"], scores.manifest.plan["inputs"]
    asked = {key: options.get(key) for key in ("prompt", "sam_label")}
    return f"{asked}, weights {weights.get('weights')}"


def _volumes(scores: Scores, cases: Sequence[str]) -> dict[str, list[float]]:
    """The volume of every class of the reference of each case, in ml."""
    row = scores.about["rows"][0]
    return {case: [one["reference_ml"] for one in scores.rows(case)[row]] for case in cases}


def _agree(found: Sequence[float], expected: Sequence[float]) -> bool:
    return all(abs(a - b) <= _SAME_ML for a, b in zip(found, expected, strict=True))


def _made_from(scores: Scores) -> str:
    fingerprint: str = scores.manifest.plan["inputs"]["cases"]
    return fingerprint


def _common(everything: Sequence[Scores], of: Callable[[Scores], T]) -> T | None:
    """What all have alike; None when they differ."""
    first, *others = (of(scores) for scores in everything)
    return first if all(other == first for other in others) else None


def _each(everything: Iterable[Scores], of: Callable[[Scores], str]) -> str:
    return "".join(f"\n  - {scores.path}: {of(scores)}" for scores in everything)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    hidden = len(ordered) - _MOST_NAMES
    return ", ".join(ordered[:_MOST_NAMES]) + (f" and {hidden} more" if hidden > 0 else "")
