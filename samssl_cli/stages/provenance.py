"""Where a score comes from: labels used, seed, checkpoint rule, hardware, and who saw the data."""

from collections.abc import Mapping
from typing import Any

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.manifest import Manifest
from samssl_cli.generalists.exposure import exposure

_REPEATED = (
    "method",
    "steps",
    "checkpoint_rule",
    "label_budget",
    "predictor",
    "hardware",
    "patch_size",
)


def provenance(
    what: Manifest, cases: Cases, *, known_as: str, asked: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What a score repeats of the artifact that was scored, as JSON values.

    Args:
        what: the manifest of the checkpoint, prompts or pseudo-labels.
        cases: that are scored.
        known_as: the data set's name in the exposure register; empty for the name it has.
        asked: record of the generalist that was asked beside the prediction, if one was.
    """
    learned_from: list[Mapping[str, Any]] = list(what.about.get("generalists", []))
    named = [*learned_from, *([asked] if asked and asked not in learned_from else [])]
    dataset = known_as or cases.facts.name
    return {
        "stage": what.plan["stage"],
        "seed": what.plan["seed"],
        "fingerprints": {"scored": what.fingerprint, "cases": cases.fingerprint},
        "versions": dict(what.versions),
        "num_labeled": len(cases.labeled),
        "generalists": learned_from,
        "asked_beside": asked,
        "known_as": dataset,
        "exposure": [
            {"generalist": one["name"], **vars(exposure(one["register"], dataset))} for one in named
        ],
        **{key: what.about[key] for key in _REPEATED if key in what.about},
    }
