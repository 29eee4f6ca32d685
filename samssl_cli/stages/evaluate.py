"""`samssl evaluate`: score a checkpoint, prompts or pseudo-labels against the held-out references.

The one stage that opens the held-out labels. Nothing it writes is read by a stage that trains,
prompts or labels.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.artifacts.manifest import Manifest, Plan, read_manifest
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import DataError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.metrics.columns import columns
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.report.score_files import bring_up_to_date
from samssl_cli.stages.asking import check_strategies
from samssl_cli.stages.inputs import check_option_tables
from samssl_cli.stages.panel import (
    Weights,
    asks_nobody,
    choose_panel,
    load_panel,
    panel_inputs,
    which_generalists,
    with_rows,
)
from samssl_cli.stages.run import Work, run_sharded
from samssl_cli.stages.voxel_size import prediction_grid
from samssl_cli.stages.which_generalist import Which

if TYPE_CHECKING:
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.stages.scoring import Scorer

SCORED = {"checkpoint": "checkpoint", "prompts": "prompts", "labels": "pseudo-labels"}
"""Kind of artifact to the word for it."""


def evaluate(
    cases_path: Path,
    what_path: Path,
    output: Path,
    *,
    recipe: Recipe,
    largest_component: Sequence[str] = (),
    refine: bool = False,
    weights: Weights = None,
    device: str,
    force: bool,
    progress: Progress,
    embeddings: "EmbeddingCache | None" = None,
    shard: Shard | None = None,
) -> Path | None:
    """Score `what_path` on its held-out cases; write `output`, and a .csv and .json beside it.

    Args:
        cases_path: `cases.zarr`.
        what_path: a checkpoint, prompts, or pseudo-labels.
        output: where `scores.zarr` goes.
        recipe: its section evaluate is used; for a checkpoint also prompt and sam_label.
        largest_component: names of the classes that are reduced to their largest component in the
            cleaned rows; empty for all of them.
        refine: also score a checkpoint's predictions as the generalists refine them.
        weights: of the generalists that are asked beside the prediction, or refine it.
        device: where to predict.
        force: replace an artifact of another plan.
        progress: where to report.
        embeddings: where what the generalist computed of an image is looked up, and kept; the
            scores are the same without.
        shard: of the cases, while other processes do the rest; None for all.

    Returns:
        The path; None when it is not whole, as other shards have still to do theirs.

    Raises:
        SamsslError: when the inputs cannot be used, or there is no reference to compare with.
        Interrupted: after a signal; the same call resumes.
    """
    check_option_tables(recipe)
    cases, references = Cases(cases_path), HeldOutLabels(cases_path)
    found = which_generalists(recipe, weights)
    recipe = _in_a_known_unit(with_rows(recipe, found), cases, progress)
    what = read_manifest(what_path, "checkpoint", "prompts", "labels")
    one_object = _class_indices(cases, largest_component)
    is_asked = _asks_generalists(what, recipe, found, progress, refine=refine)
    panel = choose_panel(found, cases, progress, only_adapted=True) if is_asked else ()
    sections = ("evaluate", "inference", *(("prompt", "sam_label") if is_asked else ()))
    plan = Plan(
        kind="scores",
        stage="evaluate",
        options={
            **recipe.options(*sections),
            "largest_component": one_object,
            **({"refine": True} if refine else {}),
            **_predicted_at(what, what_path, cases),
        },
        seed=0,
        inputs={
            "cases": references.cases_fingerprint,
            "what": what.fingerprint,
            **panel_inputs(panel),
        },
    )

    def work(work: Work) -> None:
        from samssl_cli.artifacts.scores import case_member
        from samssl_cli.stages.labeled_images import shown
        from samssl_cli.stages.sanity import Template
        from samssl_cli.stages.scoring import Scorer
        from samssl_cli.stages.sources import open_source

        source = open_source(
            what.kind,
            what_path,
            cases,
            recipe=recipe,
            is_asked=is_asked,
            device=device,
            progress=progress,
        )
        template = Template(cases) if recipe.evaluate.sanity else None
        asked = load_panel(panel, device, embeddings, shown=partial(shown, cases))
        scorer = Scorer(cases, references, source, recipe, one_object, template, asked, refine)
        scored = _score_all(work, scorer)
        records = [one.record for one in panel]

        def is_done(name: str) -> bool:
            return work.draft.root.has(case_member(name))

        def seal(work: Work) -> None:
            _seal(work, cases, scored, what, recipe, records, is_refined=refine)

        work.finish(scored, is_done, seal)

    path = run_sharded(plan, output, work=work, force=force, progress=progress, shard=shard)
    if path is not None:
        bring_up_to_date(path)
    return path


def _in_a_known_unit(recipe: Recipe, cases: Cases, progress: Progress) -> Recipe:
    """The same recipe with the unit decided: voxels where nobody knows how large one is."""
    chosen = recipe.evaluate.in_voxels
    if chosen is None and not cases.spacing_is_known:
        progress.note(
            f"{cases.path} knows no voxel size: distances and volumes are in voxels (--mm takes "
            "each for 1 mm)"
        )
    in_voxels = not cases.spacing_is_known if chosen is None else chosen
    evaluate = recipe.evaluate.model_copy(update={"in_voxels": in_voxels})
    return recipe.model_copy(update={"evaluate": evaluate})


def _class_indices(cases: Cases, names: Sequence[str]) -> list[int]:
    known = cases.facts.class_names[1:]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"--largest-component {unknown[0]}: the classes are {', '.join(known)}")
    return [1 + known.index(name) for name in names or known]


def _predicted_at(what: Manifest, what_path: Path, cases: Cases) -> dict[str, Any]:
    """What a plan says of the voxel size of a checkpoint that is scored on other cases."""
    if what.kind != "checkpoint":
        return {}
    return prediction_grid(cases, Checkpoint(what_path)).options


def _check_refinable(what: Manifest, recipe: Recipe, found: Sequence[Which]) -> None:
    from samssl_cli.stages.refining import check_gate_refines, check_somebody_refines

    if what.kind != "checkpoint":
        raise UsageError(
            f"--refine is for the predictions of a checkpoint, and {SCORED[what.kind]} are scored "
            "here; leave it out"
        )
    check_gate_refines(recipe.sam_label)
    check_somebody_refines(found)


def _asks_generalists(
    what: Manifest, recipe: Recipe, found: Sequence[Which], progress: Progress, *, refine: bool
) -> bool:
    """Whether the rows with the generalists apply: to a checkpoint, with weights where needed."""
    if refine:
        _check_refinable(what, recipe, found)
    if what.kind != "checkpoint" or not (recipe.evaluate.sanity or refine):
        named = next((which.file or which.own for which in found if which.file or which.own), None)
        if named is not None:
            where = named if isinstance(named, Path) else named.path
            raise UsageError(
                f"--checkpoint {where}: the generalist is asked only beside a trained network, "
                "and not with --no-sanity; leave it out"
            )
        return False
    if asks_nobody(found):
        progress.note(
            "the rows with the generalist are left out: generalist none asks nobody; --generalist "
            "names another"
        )
        return False
    check_strategies(recipe.prompt)
    for which in found:
        lacks_weights = which.file is None and which.own is None and not refine
        if GENERALISTS[which.name].needs_checkpoint and lacks_weights:
            progress.note(
                f"the rows with the generalist are left out: {which.name} needs its weights; "
                "add --checkpoint, as for sam-label"
            )
            return False
    return True


def _score_all(work: Work, scorer: "Scorer") -> list[str]:
    """Score every case that has a reference, and give their names."""
    from samssl_cli.artifacts.scores import case_member, write_case_scores

    names = scorer.source.names
    scored = [name for name in names if name in scorer.references.names]
    if not scored:
        raise DataError(
            f"{scorer.cases.path}: none of the {len(names)} cases to score has a reference; "
            "put their labels into labelsTs (or labelsTr) and preprocess again"
        )
    store = work.draft.root
    for name in work.each_pending(store, scored, "evaluating", member=case_member):
        write_case_scores(store, name, scorer.score(name))
    return scored


def _seal(
    work: Work,
    cases: Cases,
    names: Sequence[str],
    what: Manifest,
    recipe: Recipe,
    asked: Sequence[Mapping[str, Any]],
    *,
    is_refined: bool,
) -> None:
    import numpy as np

    from samssl_cli.artifacts.scores import rows_of_draft, write_values
    from samssl_cli.report.diagnosis import check_diagnosis
    from samssl_cli.stages.provenance import provenance
    from samssl_cli.stages.score_rows import HEADLINE, REFINED_HEADLINE, ROWS, rows_of

    root, options = work.draft.root, recipe.evaluate
    rows = rows_of(is_sane=options.sanity, is_asked=bool(asked), is_refined=is_refined)
    metrics = [column.name for column in columns(in_voxels=bool(options.in_voxels))]
    facts = {"rows": rows, "metrics": metrics, "class_names": cases.facts.class_names}
    check = partial(check_diagnosis, class_names=cases.facts.class_names)
    records = [rows_of_draft(root, name, facts, check) for name in names]
    values = np.array(
        [
            [[[record["values"][m] for m in metrics] for record in case[row]] for case in records]
            for row in rows
        ],
        np.float64,
    )
    classes = cases.facts.class_names[1:]
    write_values(root, values, rows=rows, cases=names, classes=classes, metrics=metrics)
    work.draft.seal(
        {
            **cases.facts.to_json(),
            "scored": SCORED[what.kind],
            "rows": rows,
            "meaning": {row: vars(ROWS[row]) for row in rows},
            "headline": REFINED_HEADLINE if is_refined else HEADLINE,
            "metrics": metrics,
            "tolerance": options.tolerance,
            "made_from_these_cases": what.plan["inputs"]["cases"] == cases.fingerprint,
            **provenance(what, cases, names, known_as=options.known_as, asked=asked),
            "refined_by": [dict(one) for one in asked] if is_refined else [],
        }
    )
