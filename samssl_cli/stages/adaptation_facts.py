"""What is told and recorded of an adaptation: what was measured, and what was chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases
from samssl_cli.recipe import Adapt
from samssl_cli.stages.which_generalist import Which
from samssl_cli.training.folds import Choice, choose_steps

BEFORE = 0
"""Steps of the first check."""


@dataclass(frozen=True)
class Measured:
    """What was found on one fold."""

    left_out: str
    units: tuple[str, ...]
    dice: NDArray[np.float64]
    """(checks, units), the first row before any step."""


def all_checks(options: Adapt) -> tuple[int, ...]:
    """The steps after which left-out labels are asked about, the first time before any."""
    return (BEFORE, *options.checks)


def chosen(options: Adapt, measured: Sequence[Measured]) -> Choice:
    """How many steps are taken; none where nothing could be left out."""
    if not measured:
        return Choice(0, 0, float("nan"), float("nan"), float("inf"))
    dice = np.concatenate([fold.dice for fold in measured], axis=1)
    return choose_steps(all_checks(options), dice)


def told(choice: Choice, measured: Sequence[Measured]) -> str:
    """What a person is told of the choice."""
    if not measured:
        return (
            "no label can be left out to see whether adaptation helps: the weights are left as "
            "they were"
        )
    units = sum(len(fold.units) for fold in measured)
    if choice.steps:
        return (
            f"adapting for {choice.steps} steps: Dice on left-out labels {choice.before:.3f} -> "
            f"{choice.after:.3f} (gain {choice.gain:.3f}, standard error "
            f"{choice.standard_error:.3f}, {units} left out in turn)"
        )
    return (
        "adaptation does not help on the left-out labels: the weights are left as they were "
        f"(Dice {choice.before:.3f}; at best {choice.after:.3f} after {choice.best} steps, "
        f"standard error {choice.standard_error:.3f}, {units} left out in turn)"
    )


def about(
    cases: Cases,
    which: Which,
    digest: Mapping[str, str],
    choice: Choice,
    measured: Sequence[Measured],
) -> dict[str, Any]:
    """The facts that readers of the artifact need."""
    weights = digest["weights"]
    return {
        **cases.facts.to_json(),
        "generalist": which.name,
        "options": which.recipe.sam_label.chosen_options,
        "adapted": {
            "from_sha256": weights,
            "dataset": cases.facts.name,
            "cases_fingerprint": cases.fingerprint,
            "num_labeled": len(cases.labeled),
            "steps": choice.steps,
        },
        "steps": choice.steps,
        "cross_validation": _validation(which.recipe.adapt, choice, measured),
        "label_budget": {
            "training": len(cases.labeled),
            "selection": len(cases.labeled),
            "calibration": 0,
        },
    }


def _validation(options: Adapt, choice: Choice, measured: Sequence[Measured]) -> dict[str, Any]:
    """Everything that the choice rests on, as JSON values: null where nothing was measured."""
    dice = np.concatenate([fold.dice for fold in measured], axis=1) if measured else None
    return {
        "choice": {
            key: value if np.isfinite(value) else None for key, value in asdict(choice).items()
        },
        "checks": list(all_checks(options)),
        "dice": None if dice is None else [round(float(d), 6) for d in dice.mean(axis=1)],
        "units": {
            unit: [round(float(d), 6) for d in fold.dice[:, column]]
            for fold in measured
            for column, unit in enumerate(fold.units)
        },
        "left_out": [fold.left_out for fold in measured],
    }
