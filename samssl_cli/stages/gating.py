"""The calibrated gate of `sam-label`: ask about all cases, learn on the labeled ones, mix.

What the generalists said is kept beside the draft until it is sealed, so that a resumed run asks
nobody twice and learns the same. Labeled cases are read through `Cases.read_labeled` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.forms import understanding_what_is_left
from samssl_cli.artifacts.labels import PseudoLabel, write_pseudo_label
from samssl_cli.artifacts.members import read_member
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.errors import DataError
from samssl_cli.gate.arrays import check_views, pack, unpack
from samssl_cli.gate.calibrate import Calibrated, calibrate
from samssl_cli.gate.features import softness
from samssl_cli.gate.gate import Gate, mix
from samssl_cli.gate.simulate import simulate
from samssl_cli.gate.view import View, look
from samssl_cli.generalists.types import Generalist
from samssl_cli.inference.uncertainty import normalised_entropy
from samssl_cli.prompts.components import find_objects
from samssl_cli.prompts.types import ObjectPrompts
from samssl_cli.recipe import Gate as Options
from samssl_cli.recipe import Prompt, Recipe
from samssl_cli.stages.asking import embed_once, hear, place_prompts, seed_of_case
from samssl_cli.stages.out_of_fold import OutOfFold
from samssl_cli.stages.run import Work
from samssl_cli.volumes.voxels import likeliest

_LEAST_DRAWS = 4  # of each labeled case: two for each half of the folds of a single one


@dataclass(frozen=True)
class Seen:
    """What the simulated objects should resemble, of one unlabeled object."""

    softness: float
    agreement: float


def ask_each(work: Work, cases: Cases, prompts: PromptSet, asked: OutOfFold) -> Store:
    """Ask about every prompted case that is pending; give the store that holds all answers.

    Raises:
        DataError: when there is no labeled case to learn from.
        Interrupted: after a signal; the next run resumes.
    """
    if not cases.labeled:
        raise DataError(
            f"{cases.path}: has no labeled case to calibrate the gate on; use "
            "--set sam_label.gate=thresholds"
        )
    answers = _store(work, "answers")
    for name in work.each_pending(answers, prompts.names, "asking"):
        views = _heard(cases, prompts, name, asked.generalists)
        _write(answers, name, views, len(asked.names))
    return answers


def label_gated(
    work: Work,
    cases: Cases,
    prompts: PromptSet,
    asked: OutOfFold,
    recipe: Recipe,
) -> dict[str, Any]:
    """Learn from all answers, and write the pseudo-label of every prompted case.

    Returns:
        What is to be told of the gate.

    Raises:
        Interrupted: after a signal; the next run resumes.
    """
    answers, simulated = _store(work, "answers"), _store(work, "simulated")
    num = len(asked.names)
    seen = [_seen(view) for name in prompts.names for view in _read(answers, name, num)]
    soft = [one.softness for one in seen]
    for name in work.each_pending(simulated, asked.in_order(cases.labeled), "calibrating"):
        generalists = asked.about(name)
        views = _simulated(cases, name, generalists, prompts.options, recipe.gate, soft)
        _write(simulated, name, views, num)
    found = calibrate(
        cases.labeled,
        lambda name: _read(simulated, name, num),
        [one.agreement for one in seen],
        recipe.gate,
        generalists=asked.names,
    )
    work.progress.note(in_words(found))
    for name in work.each_pending(work.draft.root, prompts.names, "labelling"):
        objects, views = prompts.objects(name), _read(answers, name, num)
        with understanding_what_is_left(answers.member(name)):
            _check_objects(objects, views)
        pseudo = _mixed(cases, prompts, name, objects, views, found.gate)
        write_pseudo_label(work.draft.root, name, pseudo)
    return found.summary


def in_words(found: Calibrated) -> str:
    """What was found on the labeled cases, in a sentence."""
    told = found.summary
    if not told["is_calibrated"]:
        return (
            "the gate could not be calibrated: too little was prompted on the simulated "
            "predictions of the labeled cases; the pseudo-labels are the specialist's own"
        )
    dice = told["dice"]
    alone = ", ".join(f"{name} {100 * one:.1f}" for name, one in dice["generalists"].items())
    verdict = (
        "the generalist is let in, object by object"
        if told["is_open"]
        else "the generalist does not help and is left out: the pseudo-labels are the specialist's"
    )
    return (
        f"Dice on the labeled cases, out of fold: specialist {100 * dice['specialist']:.1f}, "
        f"{alone}, gated {100 * dice['gated']:.1f}; {verdict}"
    )


def _seen(view: View) -> Seen:
    soft = softness(view.specialist, view.mask, view.spacing_mm)
    return Seen(soft, float(view.agreements.mean()))


def _store(work: Work, name: str) -> Store:
    return Store(work.draft.scratch() / name, work.draft.plan, staging=work.draft.staging)


def _write(store: Store, name: str, views: Sequence[View], num_generalists: int) -> None:
    arrays, attributes = pack(views, num_generalists)
    store.write(name, arrays, attributes)


def _read(store: Store, name: str, num_generalists: int) -> list[View]:
    member = read_member(store.member(name))
    with understanding_what_is_left(store.member(name)):
        views = unpack(member.arrays, member.attributes)
        check_views(views, num_generalists)
    return views


def _check_objects(objects: Sequence[ObjectPrompts], views: Sequence[View]) -> None:
    """Raise a `ValueError` unless the views are those of the objects, in their order."""
    for prompted, view in zip(objects, views, strict=True):
        is_same = (prompted.class_index, prompted.component) == (view.class_index, view.component)
        here = prompted.mask[view.window.slices]
        if not is_same or not np.array_equal(here, view.mask) or here.sum() < prompted.mask.sum():
            raise ValueError(f"class {view.class_index}, component {view.component}: another one")


def _heard(
    cases: Cases, prompts: PromptSet, name: str, generalists: Sequence[Generalist]
) -> list[View]:
    """What everybody says of an unlabeled case."""
    case, specialist = cases.read_unlabeled(name), prompts.probability(name)
    spacing_mm = case.geometry.spacing_mm
    embed = embed_once(generalists, case.image, spacing_mm)
    return [
        look(prompted, answers, specialist, spacing_mm)
        for prompted, answers in hear(generalists, embed, prompts.objects(name))
    ]


def _simulated(
    cases: Cases,
    name: str,
    generalists: Sequence[Generalist],
    prompting: Prompt,
    options: Options,
    softnesses: Sequence[float],
) -> list[View]:
    """What everybody says of a labeled case, asked by specialists of rising severity."""
    case, num_classes = cases.read_labeled(name), cases.facts.num_classes
    spacing_mm = case.geometry.spacing_mm
    embed = embed_once(generalists, case.image, spacing_mm)
    true = np.stack([case.label == index for index in range(num_classes)]).astype(np.float32)
    objects, views = find_objects(true, prompting), []
    low, high = options.severity
    num_draws = max(_LEAST_DRAWS, -(-options.num_draws // len(cases.labeled)))
    for draw in range(num_draws):
        seed = seed_of_case(options.seed, f"{name}/{draw}")
        rng = np.random.default_rng(seed)
        probability = simulate(
            case.image,
            objects,
            spacing_mm,
            num_classes=num_classes,
            severity=low + (high - low) * (draw + rng.random()) / num_draws,
            softnesses=softnesses,
            rng=rng,
        )
        uncertainty = normalised_entropy(probability)
        prompted = place_prompts(probability, uncertainty, prompting, seed=seed)
        views += [
            look(one, answers, probability, spacing_mm, label=case.label, draw=draw)
            for one, answers in hear(generalists, embed, prompted)
        ]
    return views


def _mixed(
    cases: Cases,
    prompts: PromptSet,
    name: str,
    objects: Sequence[ObjectPrompts],
    views: Sequence[View],
    gate: Gate,
) -> PseudoLabel:
    gated = mix(prompts.probability(name), objects, views, gate)
    shape = gated.probability.shape[1:]
    return PseudoLabel(
        label=likeliest(gated.probability),
        confidence=gated.probability.astype(np.float16),
        acceptance=np.full(shape, bool(views), np.uint8),
        objects=[_record(*pair) for pair in zip(views, gated.passed, strict=True)],
        geometry=cases.read_unlabeled(name).geometry,
    )


def _record(view: View, passed: bool) -> dict[str, Any]:
    """What `pseudo.zarr` keeps of one object: means over the generalists, as JSON values."""
    promised = view.predicted_iou[np.isfinite(view.predicted_iou)]
    return {
        "class_index": view.class_index,
        "component": view.component,
        "num_voxels": int(view.mask.sum()),
        "predicted_iou": round(float(promised.mean()), 6) if promised.size else None,
        "agreement": round(float(view.agreements.mean()), 6),
        "disagreement": round(float(view.disagreement[:, view.mask].mean()), 6),
        "is_accepted": passed,
    }
