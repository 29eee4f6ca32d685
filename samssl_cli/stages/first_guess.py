"""`samssl prompt --first-guess`: the labeled cases alone say where to look; nothing is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import DataError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.guesses import FIRST_GUESSES
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe, validate
from samssl_cli.registry import check_name, load
from samssl_cli.stages.asking import check_strategies
from samssl_cli.stages.inputs import check_option_tables
from samssl_cli.stages.labeled_images import labeled_image
from samssl_cli.stages.panel import (
    Panel,
    Weights,
    choose_panel,
    load_panelist,
    panel_inputs,
    which_generalists,
    with_rows,
)
from samssl_cli.stages.prompting import Predict, Predicted, prompt_each, seal_prompts, written
from samssl_cli.stages.run import Work, run_sharded

if TYPE_CHECKING:
    from samssl_cli.guesses.types import FirstGuess


def first_guess(
    cases_path: Path,
    name: str,
    output: Path,
    *,
    weights: Weights = None,
    recipe: Recipe,
    seed: int,
    device: str,
    force: bool,
    progress: Progress,
    shard: Shard | None = None,
) -> Path | None:
    """Write a guess, its uncertainty and prompts for every unlabeled case to `output`.

    Args:
        cases_path: `cases.zarr`.
        name: a row of FIRST_GUESSES.
        output: where `prompts.zarr` goes.
        weights: of the generalist whose features the guess uses; None: the weights folder is
            searched.
        recipe: its sections first_guess and prompt are used, and the generalist's options.
        seed: of the prompts.
        device: where the generalist encodes.
        force: replace an artifact of another plan.
        progress: where to report.
        shard: of the unlabeled cases, while other processes do the rest; None for all.

    Returns:
        The path; None when it is not whole, as other shards have still to do theirs.

    Raises:
        SamsslError: when the inputs, the recipe, the weights or the device cannot be used.
        Interrupted: after a signal; the same call resumes.
    """
    check_name(FIRST_GUESSES, name, kind="first guess")
    check_option_tables(recipe)
    check_strategies(recipe.prompt)
    cases = Cases(cases_path)
    if not cases.labeled:
        raise DataError(f"{cases.path}: has no labeled case to make a first guess from")
    recipe = _with_entropy(recipe, progress)
    panel, asked = _panel(name, cases, recipe, weights, progress)
    chosen = {"name": name, "max_labeled": recipe.first_guess.max_labeled, **asked}
    chosen["options"] = options = _options(name, recipe)
    plan = Plan(
        kind="prompts",
        stage="prompt",
        options={**recipe.options("prompt"), "first_guess": chosen},
        seed=seed,
        inputs={
            "cases": cases.fingerprint,
            "labeled": cases.labeled_fingerprint,
            **panel_inputs(panel),
        },
    )

    def work(work: Work) -> None:
        part = _build(work, name, cases, panel, options, recipe, device)
        prompt_each(work, cases, _predicting(part), recipe.prompt, seed=seed)
        work.finish(
            cases.unlabeled, work.draft.root.has, lambda work: _seal(work, name, cases, panel)
        )

    return run_sharded(plan, output, work=work, force=force, progress=progress, shard=shard)


def _with_entropy(recipe: Recipe, progress: Progress) -> Recipe:
    """The same recipe with the uncertainty that a guess has."""
    if recipe.prompt.uncertainty == "entropy":
        return recipe
    progress.note(
        f"prompt.uncertainty is {recipe.prompt.uncertainty}, which takes a trained network: "
        "a first guess has the entropy of its probabilities"
    )
    section = recipe.prompt.model_copy(update={"uncertainty": "entropy"})
    return recipe.model_copy(update={"prompt": section})


def _options(name: str, recipe: Recipe) -> dict[str, Any]:
    """All options of the guess, those that the recipe leaves out included."""
    part = load(FIRST_GUESSES, name, kind="first guess")
    given = recipe.first_guess.options.get(name, {})
    resolved = validate(part.Options, given, where=f"first_guess.options.{name}")
    values: dict[str, Any] = resolved.model_dump(mode="json")
    return values


def _panel(
    name: str, cases: Cases, recipe: Recipe, weights: Weights, progress: Progress
) -> tuple[Panel, dict[str, Any]]:
    """The generalist that the guess looks through, and what the plan says of it; or nothing.

    Raises:
        UsageError: when the generalist has no features, its weights are missing, or there are
            weights for a guess that looks through none.
    """
    if not FIRST_GUESSES[name].needs_encoder:
        if weights:
            raise UsageError(f"first guess {name} asks no generalist; leave out --checkpoint")
        return (), {}
    section = recipe.sam_label.model_copy(update={"generalist": recipe.first_guess.generalist})
    found = which_generalists(recipe.model_copy(update={"sam_label": section}), weights)
    (which,) = found
    if not GENERALISTS[which.name].has_features:
        able = ", ".join(name for name, row in GENERALISTS.items() if row.has_features)
        raise UsageError(
            f"first_guess.generalist is {which.name}, which gives no features to compare; "
            f"take one of: {able}"
        )
    options = with_rows(which.recipe, found).sam_label.chosen_options
    asked = {"generalist": {"name": which.name, "options": options}}
    return choose_panel(found, cases, progress), asked


def _build(
    work: Work,
    name: str,
    cases: Cases,
    panel: Panel,
    options: Mapping[str, Any],
    recipe: Recipe,
    device: str,
) -> "FirstGuess":
    """Make the part with the labeled cases that the recipe lets it see."""
    used = cases.labeled[: recipe.first_guess.max_labeled]
    if len(used) < len(cases.labeled):
        work.progress.note(
            f"the first {len(used)} of {len(cases.labeled)} labeled cases are used "
            "(first_guess.max_labeled)"
        )
    part: FirstGuess = load(FIRST_GUESSES, name, kind="first guess").build(
        options,
        labeled=[labeled_image(cases, one) for one in used],
        num_classes=cases.facts.num_classes,
        encoder=load_panelist(panel[0], device, None) if panel else None,
    )
    return part


def _predicting(part: "FirstGuess") -> Predict:
    import numpy as np

    from samssl_cli.inference.uncertainty import normalised_entropy

    def predict(case: UnlabeledCase, seed: int) -> Predicted:
        guess = part.guess(case.image.astype(np.float32), case.geometry.spacing_mm)
        uncertainty = normalised_entropy(guess.probability)
        return Predicted(guess.probability, uncertainty, guess.notes)

    return predict


def _seal(work: Work, name: str, cases: Cases, panel: Panel) -> None:
    """Seal, and tell of what did not go as planned."""
    notes = {
        case: attributes["notes"]
        for case, attributes in written(work, cases).items()
        if "notes" in attributes
    }
    for case, said in list(notes.items())[:5]:
        work.progress.note(f"{case}: {'; '.join(said)}")
    if len(notes) > 5:
        work.progress.note(f"and so in {len(notes) - 5} further cases: samssl show has them all")
    seal_prompts(
        work,
        cases,
        predictor="first guess",
        generalists=[one.record for one in panel],
        facts={"first_guess": {"name": name, "notes": notes}},
    )
