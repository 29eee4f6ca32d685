"""`samssl sam-label`: the generalist answers the prompts, and the answers become pseudo-labels."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.labels import PseudoLabel, write_pseudo_label
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.checkpoint_file import PUBLISHED, sha256_of_weights
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.registry import check_name, load
from samssl_cli.stages.inputs import check_made_from, check_option_tables
from samssl_cli.stages.run import Work, run_stage

if TYPE_CHECKING:
    from samssl_cli.generalists.combine import Answer
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
) -> Path:
    """Write a pseudo-label with its confidence for every prompted case to `output`.

    Raises:
        SamsslError: when the inputs, the weights or the device cannot be used.
        Interrupted: after a signal; the same call resumes.
    """
    check_option_tables(recipe)
    recipe = recipe.narrowed()
    name = recipe.sam_label.generalist
    check_name(GENERALISTS, name, kind="generalist")
    cases, prompts = Cases(cases_path), PromptSet(prompts_path)
    check_made_from(cases, prompts.path, prompts.cases_fingerprint, cure="samssl prompt")
    inputs = {"cases": cases.fingerprint, "prompts": prompts.fingerprint}
    plan = Plan(
        kind="labels",
        stage="sam-label",
        options=recipe.options("sam_label"),
        seed=0,
        inputs={**inputs, **_weights_digest(name, weights)},
    )

    def work(work: Work) -> None:
        _label(work, cases, prompts, weights, recipe.sam_label, device=device)

    return run_stage(plan, output, work=work, force=force, progress=progress)


def _weights_digest(generalist: str, weights: Path | None) -> dict[str, str]:
    """The sha256 of the weights file, as one more input."""
    needs_weights = GENERALISTS[generalist].needs_checkpoint
    if weights is None and needs_weights:
        raise UsageError(f"generalist {generalist} needs its weights: --checkpoint {PUBLISHED}")
    if weights is not None and not needs_weights:
        raise UsageError(f"generalist {generalist} has no weights; leave out --checkpoint")
    return {} if weights is None else {"weights": sha256_of_weights(weights)}


def _label(
    work: Work,
    cases: Cases,
    prompts: PromptSet,
    weights: Path | None,
    options: SamLabel,
    *,
    device: str,
) -> None:
    from samssl_cli.stages.device import pick_device

    build = load(GENERALISTS, options.generalist, kind="generalist").build
    where = str(pick_device(device))
    generalist: Generalist = build(options.chosen_options, checkpoint=weights, device=where)
    store = work.draft.root
    for name in work.each_pending(store, prompts.names, "labelling"):
        case = cases.read_unlabeled(name)
        write_pseudo_label(store, name, _label_case(case, prompts, generalist, options))
    work.draft.seal({**cases.facts.to_json(), **_totals(work, prompts)})


def _label_case(
    case: UnlabeledCase, prompts: PromptSet, generalist: "Generalist", options: SamLabel
) -> PseudoLabel:
    import numpy as np

    from samssl_cli.generalists.combine import combine

    specialist = prompts.probability(case.name)
    answers = _ask(case, prompts, generalist, options)
    combined = combine(specialist, answers, options)
    return PseudoLabel(
        label=combined.probability.argmax(axis=0).astype(np.uint8),
        confidence=combined.probability.astype(np.float16),
        acceptance=combined.acceptance.astype(np.uint8),
        objects=[_record(answer) for answer in answers],
        geometry=case.geometry,
    )


def _ask(
    case: UnlabeledCase, prompts: PromptSet, generalist: "Generalist", options: SamLabel
) -> "list[Answer]":
    """Ask the generalist about every object of a case; an image without objects is not encoded."""
    import numpy as np

    from samssl_cli.generalists.combine import judge
    from samssl_cli.generalists.fuse import fuse

    objects = prompts.objects(case.name)
    if not objects:
        return []
    embedding = generalist.embed(case.image.astype(np.float32))
    return [
        judge(
            prompted,
            fuse(generalist.segment(embedding, prompted.sets)),
            options,
        )
        for prompted in objects
    ]


def _record(answer: "Answer") -> dict[str, Any]:
    iou = answer.fused.predicted_iou
    return {
        "class_index": answer.prompts.class_index,
        "component": answer.prompts.component,
        "num_voxels": answer.prompts.num_voxels,
        "predicted_iou": None if math.isnan(iou) else round(iou, 6),
        "agreement": round(answer.agreement, 6),
        "disagreement": round(float(answer.fused.disagreement[answer.prompts.mask].mean()), 6),
        "is_accepted": answer.is_accepted,
    }


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
