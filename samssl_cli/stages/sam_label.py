"""`samssl sam-label`: the generalist answers the prompts, and the answers become pseudo-labels."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.labels import PseudoLabel, verdicts_of_draft, write_pseudo_label
from samssl_cli.artifacts.lineage import merged
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import UsageError
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.stages.asking import answer_record, ask, embed_once
from samssl_cli.stages.inputs import check_made_from, check_option_tables
from samssl_cli.stages.labeled_images import shown
from samssl_cli.stages.panel import (
    Panel,
    Panelist,
    Weights,
    asks_nobody,
    choose_panel,
    load_panel,
    load_panelist,
    panel_inputs,
    which_generalists,
    with_rows,
)
from samssl_cli.stages.run import Work, run_sharded

if TYPE_CHECKING:
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.types import Generalist

_Done = tuple[Callable[[str], bool], Callable[[Work], dict[str, Any]]]
"""Whether a case is done, and what remains when all are; it gives what is to be told of a gate."""


def sam_label(
    cases_path: Path,
    prompts_path: Path,
    output: Path,
    *,
    weights: Weights,
    recipe: Recipe,
    device: str,
    force: bool,
    progress: Progress,
    embeddings: "EmbeddingCache | None" = None,
    shard: Shard | None = None,
) -> Path | None:
    """Write a pseudo-label with its confidence for every prompted case to `output`.

    With `embeddings`, what the generalist computed of an image is looked up there, and kept; the
    result is the same without. Without `weights`, the weights folder is searched. With a
    `shard`, its cases alone are asked about; a calibrated gate is learned by the last one to end.

    Returns:
        The path; None when it is not whole, as other shards have still to do theirs.

    Raises:
        SamsslError: when the inputs, the weights or the device cannot be used.
        Interrupted: after a signal; the same call resumes.
    """
    check_option_tables(recipe)
    found = which_generalists(recipe, weights)
    recipe = with_rows(recipe, found)
    cases, prompts = Cases(cases_path), PromptSet(prompts_path)
    check_made_from(cases, prompts.path, prompts.cases_fingerprint, cure="samssl prompt")
    panel = choose_panel(found, cases, progress)
    inputs = {"cases": cases.fingerprint, "prompts": prompts.fingerprint}
    is_calibrated = recipe.sam_label.gate == "calibrated"
    if is_calibrated and asks_nobody(found):
        raise UsageError(
            '--generalist none: sam_label.gate = "calibrated" learns what answers are worth, and '
            "nobody gives any; add --set sam_label.gate=thresholds"
        )
    plan = Plan(
        kind="labels",
        stage="sam-label",
        options=recipe.options("sam_label", *(("gate",) if is_calibrated else ())),
        seed=0,
        inputs={**inputs, **panel_inputs(panel)},
    )

    def load(one: Panelist, without: Sequence[str]) -> "Generalist":
        return load_panelist(one, device, embeddings, shown=partial(shown, cases, without=without))

    def work(work: Work) -> None:
        from samssl_cli.stages.device import pick_device

        place = str(pick_device(device, progress))
        generalists = load_panel(panel, place, embeddings, shown=partial(shown, cases))
        if is_calibrated:
            is_done, rest = _ask_for_gate(work, cases, prompts, panel, generalists, load, recipe)
        else:
            is_done, rest = _label(work, cases, prompts, generalists, recipe)
        asked = merged(prompts.generalists, [one.record for one in panel])

        def seal(work: Work) -> None:
            told = rest(work)
            totals = _totals(work, prompts)
            progress.note(_in_words(totals, is_own=not panel))
            gate = {"gate": {**told, **totals}} if told else {}
            work.draft.seal({**cases.facts.to_json(), **totals, "generalists": asked, **gate})

        work.finish(prompts.names, is_done, seal)
        if embeddings is not None and embeddings.is_used:
            progress.note(embeddings.report())

    return run_sharded(plan, output, work=work, force=force, progress=progress, shard=shard)


def _label(
    work: Work,
    cases: Cases,
    prompts: PromptSet,
    generalists: "Sequence[Generalist]",
    recipe: Recipe,
) -> _Done:
    """Write all pseudo-labels; there is no rest, and nothing to be told of a gate."""
    store = work.draft.root
    for name in work.each_pending(store, prompts.names, "labelling"):
        case = cases.read_unlabeled(name)
        pseudo = _label_case(case, prompts, generalists, recipe.sam_label)
        write_pseudo_label(store, name, pseudo)
    return store.has, lambda work: {}


def _ask_for_gate(
    work: Work,
    cases: Cases,
    prompts: PromptSet,
    panel: Panel,
    generalists: "Sequence[Generalist]",
    load: "Callable[[Panelist, Sequence[str]], Generalist]",
    recipe: Recipe,
) -> _Done:
    """Ask about all cases; the rest learns the gate, writes all pseudo-labels, and tells of it."""
    from samssl_cli.stages.gating import ask_each, label_gated
    from samssl_cli.stages.out_of_fold import OutOfFold

    asked = OutOfFold(panel, generalists, cases, load)
    if asked.adapted:
        work.progress.note(
            f"{' and '.join(asked.adapted)} was adapted to the labeled cases: to calibrate the "
            "gate, each is asked about with weights that left it out"
        )
    answers = ask_each(work, cases, prompts, asked)

    def rest(work: Work) -> dict[str, Any]:
        told = label_gated(work, cases, prompts, asked, recipe)
        return {**told, "out_of_fold": asked.adapted}

    return answers.has, rest


def _label_case(
    case: UnlabeledCase,
    prompts: PromptSet,
    generalists: "Sequence[Generalist]",
    options: SamLabel,
) -> PseudoLabel:
    import numpy as np

    from samssl_cli.generalists.combine import combine
    from samssl_cli.volumes.voxels import likeliest

    specialist = prompts.probability(case.name)
    embed = embed_once(generalists, case.image, case.geometry.spacing_mm)
    answers = ask(generalists, embed, prompts.objects(case.name), options)
    combined = combine(specialist, answers, options)
    return PseudoLabel(
        label=likeliest(combined.probability),
        confidence=combined.probability.astype(np.float16),
        acceptance=combined.acceptance.astype(np.uint8),
        objects=[answer_record(answer) for answer in answers],
        geometry=case.geometry,
    )


def _in_words(totals: dict[str, int], *, is_own: bool) -> str:
    if is_own:
        return f"asked nobody: {totals['num_objects']} objects keep the specialist's own labels"
    return f"accepted the answers for {totals['num_accepted']} of {totals['num_objects']} objects"


def _totals(work: Work, prompts: PromptSet) -> dict[str, int]:
    verdicts = [
        verdict for name in prompts.names for verdict in verdicts_of_draft(work.draft.root, name)
    ]
    return {"num_objects": len(verdicts), "num_accepted": sum(verdicts)}
