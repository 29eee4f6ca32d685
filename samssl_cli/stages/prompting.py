"""Predictions of all unlabeled cases become prompts, whoever predicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.prompt_set import write_prompts
from samssl_cli.recipe import Prompt
from samssl_cli.stages.asking import place_prompts, seed_of_case
from samssl_cli.stages.run import Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predicted:
    """What is believed of one case."""

    probability: "NDArray[np.float32]"
    """(classes, I, J, K)."""
    uncertainty: "NDArray[np.float32]"
    """(I, J, K) in 0-1."""
    notes: Sequence[str] = ()
    """What did not go as planned."""


Predict = Callable[[UnlabeledCase, int], Predicted]
"""From a case and its seed to what is believed of it."""


def prompt_each(work: Work, cases: Cases, predict: Predict, options: Prompt, *, seed: int) -> None:
    """Predict every unlabeled case that is pending, and write it with its prompts."""
    store = work.draft.root
    for name in work.each_pending(store, cases.unlabeled, "prompting"):
        case = cases.read_unlabeled(name)
        case_seed = seed_of_case(seed, name)
        found = predict(case, case_seed)
        objects = place_prompts(found.probability, found.uncertainty, options, seed=case_seed)
        write_prompts(
            store,
            name,
            probability=found.probability,
            uncertainty=found.uncertainty,
            objects=objects,
            geometry=case.geometry,
            notes=found.notes,
        )


def seal_prompts(
    work: Work,
    cases: Cases,
    *,
    predictor: str,
    generalists: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Seal the prompt set, and tell of the cases in which nothing was found.

    Args:
        work: all of whose members are written.
        cases: that were prompted.
        predictor: the word for who predicted, for the message.
        generalists: records of those that the predictions come from.
        facts: more of what readers may want to know.
    """
    counts = {name: attributes["num_objects"] for name, attributes in written(work, cases).items()}
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        work.progress.note(
            f"the {predictor} found nothing in {len(empty)} of {len(counts)} cases, "
            f"which get no prompts: {', '.join(empty[:5])}{' ...' if len(empty) > 5 else ''}"
        )
    work.draft.seal(
        {
            **cases.facts.to_json(),
            "num_objects": sum(counts.values()),
            "cases_without": empty,
            "generalists": [dict(record) for record in generalists],
            **(facts or {}),
        }
    )


def written(work: Work, cases: Cases) -> dict[str, dict[str, Any]]:
    """The attributes of every case that was written."""
    from samssl_cli.artifacts.members import read_member_attributes

    root = work.draft.root
    return {name: read_member_attributes(root.member(name)) for name in cases.unlabeled}
