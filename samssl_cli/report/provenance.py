"""The label budget, the provenance and the warnings of a report, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from samssl_cli.artifacts.lineage import merged
from samssl_cli.artifacts.scores import Scores
from samssl_cli.metrics.score import ClassScore, summarise
from samssl_cli.report.contents import Fact, Notice
from samssl_cli.report.gate import gate_in_words

_FEW_CASES = 6
_NEAR_TEMPLATE = 0.05  # Dice


def facts(scores: Scores) -> tuple[Fact, ...]:
    """What a reader has to know before believing a number."""
    about = scores.about
    return tuple(
        Fact(group, name, value)
        for group, lines in (
            ("Label budget", _label_budget(scores)),
            ("Training", _training(about)),
            ("Generalists", _generalists(about)),
            ("Scoring", _scoring(scores)),
            ("Fingerprints", _fingerprints(scores)),
            ("Software", dict(about["versions"]).items()),
        )
        for name, value in lines
    )


def notices(scores: Scores) -> tuple[Notice, ...]:
    """What a reader must not overlook, the worst first."""
    found = [*_warnings(scores), *_remarks(scores)]
    return tuple(sorted(found, key=lambda notice: notice.level != "warning"))


def _label_budget(scores: Scores) -> Iterator[tuple[str, str]]:
    about = scores.about
    budget: Mapping[str, int] = about.get("label_budget", {})
    yield "labeled cases trained on", str(budget.get("training", about["num_labeled"]))
    yield "labeled cases to select a checkpoint", str(budget.get("selection", 0))
    yield "labeled cases to calibrate", _calibrated_on(about, budget)
    if "unlabeled" in budget:
        yield "unlabeled cases trained on", str(budget["unlabeled"])
    for role, number in about["num_scored"].items():
        yield f"{role} cases scored", str(number)


def _calibrated_on(about: Mapping[str, Any], budget: Mapping[str, int]) -> str:
    """Of a gate, which is calibrated on the cases of the training."""
    if "gate" in about:
        return f"{about['gate']['num_labeled']} (the same, for the gate)"
    return str(budget.get("calibration", 0))


def _training(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "stage", about["stage"]
    yield "seed", str(about["seed"])
    names = {"method": "method", "steps": "steps", "checkpoint_rule": "checkpoint"}
    for key, name in names.items():
        if key in about:
            yield name, str(about[key])
    if "patch_size" in about:
        yield "patch (voxels)", " x ".join(map(str, about["patch_size"]))
    if "hardware" in about:
        hardware = about["hardware"]
        many = f", {hardware['processes']} processes" if "processes" in hardware else ""
        cores = f"{hardware['cores']} cores"
        yield "hardware", f"{hardware['device']}: {hardware['name']}, {cores}{many}"


def _generalists(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = [one["name"] for one in about["generalists"]]
    yield "learned from the answers of", ", ".join(names) or "none"
    if "gate" in about:
        yield "gate", gate_in_words(about["gate"])
    asked = _asked_beside(about)
    if about.get("refined_by"):
        yield "predictions refined by", ", ".join(one["name"] for one in about["refined_by"])
    elif asked:
        yield "asked beside the prediction", ", ".join(one["name"] for one in asked)
    for one in _behind(about):
        if one["weights_sha256"]:
            yield f"weights of {one['name']} (sha256)", one["weights_sha256"]
        if "adapted" in one:
            yield _adapted(one["name"], one["adapted"])
    yield "data set looked up as", about["known_as"]
    for one in about["exposure"]:
        yield f"{one['generalist']} and this data set", one["sentence"]


def _asked_beside(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of those asked; older scores have one record, or none."""
    asked = about["asked_beside"]
    if asked is None:
        return []
    return [dict(asked)] if isinstance(asked, Mapping) else [dict(one) for one in asked]


def _behind(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of all generalists that taught or were asked."""
    return merged(about["generalists"], _asked_beside(about))


def _adapted(name: str, adapted: Mapping[str, Any]) -> tuple[str, str]:
    number = adapted["num_labeled"]
    cases = "1 labeled case" if number == 1 else f"{number} labeled cases"
    if not adapted["steps"]:
        told = f"no gain was measured on {cases} of {adapted['dataset']}"
        return f"{name} was left as it was", told
    return f"{name} was adapted", f"to {cases} of {adapted['dataset']}, {adapted['steps']} steps"


def _scoring(scores: Scores) -> Iterator[tuple[str, str]]:
    about, options = scores.about, scores.manifest.plan["options"]
    in_voxels = options["evaluate"]["in_voxels"]
    yield "what was scored", about["scored"]
    yield "grid", "that of the image file"
    yield "voxel size", "known" if about["spacing_is_known"] else "unknown: taken for 1 mm"
    yield from _predicted_at(options)
    yield "unit of distances", "voxels" if in_voxels else "mm"
    yield "tolerance of NSD", f"{about['tolerance']:g} {'voxels' if in_voxels else 'mm'}"
    classes = [about["class_names"][index] for index in options["largest_component"]]
    yield "reduced to one component", ", ".join(classes) or "no class"
    yield "mirrored predictions averaged", _mirrored(options)


def _predicted_at(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The voxel size of a checkpoint that was trained at another one than that of the cases."""
    if "predicted_at" in options:
        at = options["predicted_at"]
        size = " x ".join(f"{side:.4g}" for side in at["voxel_size"])
        yield "predicted at", f"{size} {at['unit']}, brought back to the grid of the cases"


def _mirrored(options: Mapping[str, Any]) -> str:
    return "yes" if options.get("inference", {}).get("flips") else "no"


def _fingerprints(scores: Scores) -> Iterator[tuple[str, str]]:
    yield "scores", scores.manifest.fingerprint
    yield from scores.about["fingerprints"].items()


def _warnings(scores: Scores) -> Iterator[Notice]:
    about = scores.about
    for one in about["exposure"]:
        if one["verdict"] in ("seen", "related"):
            yield Notice("warning", one["sentence"])
    yield from _adapted_elsewhere(about)
    if not about["made_from_these_cases"]:
        yield Notice(
            "warning",
            "What was scored was made from other cases or another split than these: make sure "
            "that none of the cases scored was trained on.",
        )
    trained_on = about["num_scored"]["unlabeled"]
    if about["scored"] == "checkpoint" and trained_on and about["made_from_these_cases"]:
        yield Notice(
            "warning",
            f"{trained_on} of the cases scored are unlabeled cases of the training: their images "
            "were learned from, so that this is no test score.",
        )
    if not about["spacing_is_known"]:
        yield Notice(
            "warning",
            "The data knows no voxel size: where millimetres or millilitres are given, each "
            "voxel was taken for 1 mm.",
        )
    missed = sum(score.missed for case in _headline(scores) for score in case)
    if missed:
        objects = "1 object was missed" if missed == 1 else f"{missed} objects were missed"
        yield Notice(
            "warning",
            f"{objects} altogether: overlaps count as 0 there, distances as the diagonal of the "
            "image.",
        )
    gap = _above_template(scores)
    if gap is not None and gap < _NEAR_TEMPLATE:
        yield Notice(
            "warning",
            f"The prediction is {100 * gap:.1f} Dice points above a template that never looked at "
            "an image.",
        )


def _adapted_elsewhere(about: Mapping[str, Any]) -> Iterator[Notice]:
    for one in _behind(about):
        adapted = one.get("adapted", {"steps": 0})
        if adapted["steps"] and adapted["cases_fingerprint"] != about["fingerprints"]["cases"]:
            yield Notice(
                "warning",
                f"{one['name']} was adapted to labels of other cases or another split than these: "
                "make sure that none of the cases scored was among them.",
            )


def _remarks(scores: Scores) -> Iterator[Notice]:
    for one in scores.about["exposure"]:
        if one["verdict"] in ("unknown", "not-listed"):
            yield Notice("info", one["sentence"])
    gate = scores.about.get("gate")
    if gate is not None and not gate["is_open"]:
        yield Notice("info", gate_in_words(gate))
    if scores.about["scored"] != "checkpoint":
        yield Notice(
            "info",
            "These are unlabeled cases whose masks are held out: read only to diagnose, and out of "
            "reach of every training stage.",
        )
    if len(scores.names) < _FEW_CASES:
        yield Notice(
            "info",
            f"With {len(scores.names)} cases an interval is wide, and no test can find a "
            "difference significant.",
        )


def _headline(scores: Scores, row: str | None = None) -> list[list[ClassScore]]:
    row = row or scores.about["headline"]
    return [[ClassScore(**one) for one in scores.rows(name)[row]] for name in scores.names]


def _above_template(scores: Scores) -> float | None:
    """How far the headline's mean Dice lies above the image-blind template's."""
    if "template" not in scores.about["rows"]:
        return None
    ours = summarise(_headline(scores)).mean["dice"]
    return ours - summarise(_headline(scores, "template")).mean["dice"]
