"""Fit the gate on the labeled cases, and find out of fold whether the generalists help."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.gate.compare import importance, mean_gain
from samssl_cli.gate.features import OF_GENERALIST, OF_SPECIALIST, features
from samssl_cli.gate.folds import folds_of, groups_of
from samssl_cli.gate.gate import CLOSED, Gate
from samssl_cli.gate.logistic import predict_logistic
from samssl_cli.gate.samples import Read, Samples, draw_samples, each_object
from samssl_cli.gate.view import View
from samssl_cli.generalists.combine import dice

Array = NDArray[np.float64]
Models = Mapping[int, Array]
"""Fold to the coefficients that were fitted without it."""

_EVERYTHING, _OWN = slice(None), slice(len(OF_SPECIALIST))
_LOWEST = 0.01  # quantile of what was seen, below which nothing was learned
_LOWEST_DEVIATION = 2.33  # the same of a normal distribution, for few simulated objects


@dataclass(frozen=True)
class Calibrated:
    """A gate, and what is to be told of it."""

    gate: Gate
    summary: dict[str, Any]
    """JSON values, for `pseudo.zarr` and the report."""


def calibrate(
    names: Sequence[str],
    read: Read,
    agreements: Sequence[float],
    options: recipe.Gate,
    *,
    generalists: Sequence[str],
) -> Calibrated:
    """Learn what the answers are worth, and whether they are worth anything.

    Args:
        names: the labeled cases.
        read: the views of one of them, with their true objects; called twice for each.
        agreements: mean Dice between the answers and the specialist, of each unlabeled object.
        options: how to fit.
        generalists: their names, in the order of the answers.
    """
    samples = draw_samples(names, read, options)
    about = {"num_labeled": len(names), "num_simulated": len(samples.all)}
    if not samples.can_be_fitted():
        return Calibrated(CLOSED, {**about, "is_calibrated": False, "is_open": False})
    weights = importance(
        np.array([one.agreement for one in samples.all]), np.array(agreements, np.float64)
    )
    gated, alone = (
        {f: samples.fit(weights, columns, options, without=f) for f in folds_of(len(names))}
        for columns in (_EVERYTHING, _OWN)
    )
    judged = [
        _judge(view, case, len(names), gated, alone) for case, view in each_object(names, read)
    ]
    found = np.array([one[0] for one in judged])  # (objects, 3 + G)
    verdict = _verdict(found, weights, samples, options)
    gate = Gate(
        coefficients=samples.fit(weights, _EVERYTHING, options),
        least_agreement=_lowest([one.agreement for one in samples.all]),
        least_kept=_lowest([one[1] for one in judged]),
        volumes_mm3=_volumes(samples, options.volume_margin),
        is_open=verdict["is_open"],
    )
    means = weights @ found / weights.sum()
    told = {"dice": _named(means, generalists), "weights": _weights(gate, generalists)}
    return Calibrated(gate, {**about, "is_calibrated": True, **verdict, **told})


def _judge(
    view: View, case: int, num_cases: int, gated: Models, alone: Models
) -> tuple[list[float], float]:
    """Dice with the true object of one simulated object, and how much of its mask is kept.

    The Dice of the specialist, of the same model without generalists, of the gate, and of each
    generalist.
    """
    assert view.truth is not None
    groups, known = groups_of(view, case=case, num_cases=num_cases), features(view)
    with_answers = _out_of_fold(gated, known, groups) > 0.5
    without = _out_of_fold(alone, known[_OWN], groups) > 0.5
    masks = [view.mask, without, with_answers, *(view.said > 0.5)]
    return [dice(mask, view.truth) for mask in masks], dice(with_answers, view.mask)


def _out_of_fold(
    models: Models, known: NDArray[np.float32], groups: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The probability (I, J, K) of each voxel by the model that was fitted without its fold."""
    found = np.zeros(groups.shape, np.float32)
    for fold in np.unique(groups):
        found[groups == fold] = predict_logistic(models[int(fold)], known[:, groups == fold])
    return found


def _verdict(
    found: Array, weights: Array, samples: Samples, options: recipe.Gate
) -> dict[str, Any]:
    """Open when the gate beats the specialist, and what could be made of the specialist alone."""
    draws = [(one.case, one.draw) for one in samples.all]
    cases = [one.case for one in samples.all]
    pairs = [mean_gain(found[:, 2] - found[:, of], weights, cases, draws) for of in (0, 1)]
    gain, error = min(pairs, key=lambda pair: pair[0] - options.standard_errors * pair[1])
    is_open = gain > 0 and gain > options.standard_errors * error
    told = {"gain": _short(gain), "standard_error": _short(error) if np.isfinite(error) else None}
    return {"is_open": is_open, **told}


def _lowest(values: Sequence[float]) -> float:
    """The end of what was seen: with few values, their least says little of the next one."""
    normal = np.mean(values) - _LOWEST_DEVIATION * np.std(values)
    return float(min(np.quantile(values, _LOWEST), normal))


def _volumes(samples: Samples, margin: float) -> dict[int, tuple[float, float]]:
    """The range of each class that was seen, widened on both sides by a factor."""
    seen: dict[int, list[float]] = {}
    for one in samples.all:
        seen.setdefault(one.class_index, []).append(one.volume_mm3)
    return {index: (min(all_) / margin, max(all_) * margin) for index, all_ in seen.items()}


def _named(means: Array, generalists: Sequence[str]) -> dict[str, Any]:
    own, without, gated, *alone = (_short(float(value)) for value in means)
    return {
        "specialist": own,
        "specialist, reshaped": without,
        "generalists": dict(zip(generalists, alone, strict=True)),
        "gated": gated,
    }


def _weights(gate: Gate, generalists: Sequence[str]) -> dict[str, float]:
    names = [*OF_SPECIALIST, *(f"{one}: {what}" for one in generalists for what in OF_GENERALIST)]
    values = (_short(float(value)) for value in gate.coefficients)
    return dict(zip([*names, "intercept"], values, strict=True))


def _short(value: float) -> float:
    return round(value, 6)
