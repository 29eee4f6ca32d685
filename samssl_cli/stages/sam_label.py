"""`samssl sam-label`: the generalist answers the prompts, and the answers become pseudo-labels."""

from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.labels import PseudoLabel, write_pseudo_label
from samssl_cli.artifacts.lineage import merged
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.stages.asking import (
    answer_record,
    ask,
    generalist_record,
    load_generalist,
)
from samssl_cli.stages.inputs import check_made_from, check_option_tables
from samssl_cli.stages.run import Work, run_stage
from samssl_cli.stages.which_generalist import (
    digest_of,
    note_other_labels,
    which_generalist,
    with_found_weights,
)

if TYPE_CHECKING:
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.types import Generalist


def sam_label(
    cases_path: Path,
    prompts_path: Path,
    output: Path,
    *,
    weights: Path | None,
    recipe: Recipe,
    device: str,
    force: bool,
    progress: Progress,
    embeddings: "EmbeddingCache | None" = None,
) -> Path:
    """Write a pseudo-label with its confidence for every prompted case to `output`.

    With `embeddings`, what the generalist computed of an image is looked up there, and kept; the
    result is the same without. Without `weights`, the weights folder is searched.

    Raises:
        SamsslError: when the inputs, the weights or the device cannot be used.
        Interrupted: after a signal; the same call resumes.
    """
    check_option_tables(recipe)
    which = with_found_weights(which_generalist(recipe, weights), progress)
    recipe, digest = which.recipe, digest_of(which)
    cases, prompts = Cases(cases_path), PromptSet(prompts_path)
    check_made_from(cases, prompts.path, prompts.cases_fingerprint, cure="samssl prompt")
    note_other_labels(which, cases, progress)
    inputs = {"cases": cases.fingerprint, "prompts": prompts.fingerprint}
    plan = Plan(
        kind="labels",
        stage="sam-label",
        options=recipe.options("sam_label"),
        seed=0,
        inputs={**inputs, **digest},
    )

    def work(work: Work) -> None:
        options = recipe.sam_label
        generalist = load_generalist(which, device, digest=digest, embeddings=embeddings)
        _label(work, cases, prompts, generalist, options)
        if embeddings is not None and embeddings.is_used:
            progress.note(embeddings.report())
        asked = merged(prompts.generalists, [generalist_record(which, digest)])
        work.draft.seal({**cases.facts.to_json(), **_totals(work, prompts), "generalists": asked})

    return run_stage(plan, output, work=work, force=force, progress=progress)


def _label(
    work: Work,
    cases: Cases,
    prompts: PromptSet,
    generalist: "Generalist",
    options: SamLabel,
) -> None:
    store = work.draft.root
    for name in work.each_pending(store, prompts.names, "labelling"):
        case = cases.read_unlabeled(name)
        write_pseudo_label(store, name, _label_case(case, prompts, generalist, options))


def _label_case(
    case: UnlabeledCase, prompts: PromptSet, generalist: "Generalist", options: SamLabel
) -> PseudoLabel:
    import numpy as np

    from samssl_cli.generalists.combine import combine
    from samssl_cli.volumes.voxels import likeliest

    specialist = prompts.probability(case.name)
    answers = ask(
        generalist,
        lambda: generalist.embed(case.image.astype(np.float32), case.geometry.spacing_mm),
        prompts.objects(case.name),
        options,
    )
    combined = combine(specialist, answers, options)
    return PseudoLabel(
        label=likeliest(combined.probability),
        confidence=combined.probability.astype(np.float16),
        acceptance=combined.acceptance.astype(np.uint8),
        objects=[answer_record(answer) for answer in answers],
        geometry=case.geometry,
    )


def _totals(work: Work, prompts: PromptSet) -> dict[str, int]:
    from samssl_cli.artifacts.members import read_member_attributes

    objects = [
        record
        for name in prompts.names
        for record in read_member_attributes(work.draft.root.member(name))["objects"]
    ]
    accepted = sum(record["is_accepted"] for record in objects)
    work.progress.note(f"accepted the answers for {accepted} of {len(objects)} objects")
    return {"num_objects": len(objects), "num_accepted": accepted}
