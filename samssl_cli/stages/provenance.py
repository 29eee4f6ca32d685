"""Where a score comes from: labels used, seed, checkpoint rule, hardware, and who saw the data."""

from collections.abc import Mapping, Sequence
from typing import Any

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.lineage import generalists_of, merged
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
    "gate",
)


def provenance(
    what: Manifest,
    cases: Cases,
    scored: Sequence[str],
    *,
    known_as: str,
    asked: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What a score repeats of the artifact that was scored, as JSON values.

    Args:
        what: the manifest of the checkpoint, prompts or pseudo-labels.
        cases: the data set.
        scored: the names of the cases that are scored.
        known_as: the data set's name in the exposure register; empty for the name it has.
        asked: records of the generalists that were asked beside the prediction, if any.
    """
    learned_from = generalists_of(what)
    named = merged(learned_from, asked)
    dataset = known_as or cases.facts.name
    return {
        "stage": what.plan["stage"],
        "seed": what.plan["seed"],
        "fingerprints": {"scored": what.fingerprint, "cases": cases.fingerprint},
        "versions": dict(what.versions),
        "num_labeled": len(cases.labeled),
        "num_scored": {
            "test": len(set(scored) & set(cases.test)),
            "unlabeled": len(set(scored) & set(cases.unlabeled)),
        },
        "spacing_is_known": cases.spacing_is_known,
        "generalists": learned_from,
        "asked_beside": [dict(one) for one in asked],
        "known_as": dataset,
        "exposure": [
            {
                "generalist": one["name"],
                **vars(exposure(one["register"], dataset, one["weights_sha256"])),
            }
            for one in named
        ],
        **{key: what.about[key] for key in _REPEATED if key in what.about},
    }
