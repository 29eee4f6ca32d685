"""`samssl evaluate`: score a checkpoint or label artifact against the held-out references.

The one stage that opens the held-out labels. Nothing it writes is read by another stage.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import Manifest, Plan, read_manifest
from samssl_cli.artifacts.scores import (
    CaseScores,
    Scores,
    case_member,
    write_case_scores,
    write_values,
)
from samssl_cli.errors import DataError, UsageError
from samssl_cli.metrics import METRICS
from samssl_cli.progress import Progress
from samssl_cli.recipe import Evaluate, Recipe
from samssl_cli.report.scores_table import write_csv, write_json
from samssl_cli.stages.inputs import check_made_from, check_same_classes, note_other_training
from samssl_cli.stages.run import Work, run_stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Predict = Callable[[str], NDArray[np.float32]]

ROWS = ("raw", "largest-component", "blur+largest-component")
"""How a prediction is cleaned before it is scored; the last is the control."""
HEADLINE = "largest-component"


def evaluate(
    cases_path: Path,
    what_path: Path,
    output: Path,
    *,
    recipe: Recipe,
    largest_component: Sequence[str],
    device: str,
    force: bool,
    progress: Progress,
) -> Path:
    """Score `what_path` on its held-out cases; write `output`, and a .csv and .json beside it.

    Args:
        cases_path: `cases.zarr`.
        what_path: a checkpoint, or pseudo-labels.
        output: where `scores.zarr` goes.
        recipe: its section evaluate is used.
        largest_component: names of the classes that are reduced to their largest component in the
            cleaned rows; empty for all of them.
        device: where to predict.
        force: replace an artifact of another plan.
        progress: where to report.

    Raises:
        SamsslError: when the inputs cannot be used, or there is no reference to compare with.
        Interrupted: after a signal; the same call resumes.
    """
    cases, references = Cases(cases_path), HeldOutLabels(cases_path)
    what = read_manifest(what_path, "checkpoint", "labels")
    one_object = _class_indices(cases, largest_component)
    plan = Plan(
        kind="scores",
        stage="evaluate",
        options={**recipe.options("evaluate", "inference"), "largest_component": one_object},
        seed=0,
        inputs={"cases": references.cases_fingerprint, "what": what.fingerprint},
    )

    def work(work: Work) -> None:
        is_checkpoint = what.kind == "checkpoint"
        names, predict = (
            _checkpoint_source(work, cases, what_path, recipe, device)
            if is_checkpoint
            else _label_source(cases, what_path)
        )
        scored = [name for name in names if name in references.names]
        if not scored:
            raise DataError(
                f"{cases_path}: none of the {len(names)} cases to score has a reference; "
                "put their labels into labelsTs (or labelsTr) and preprocess again"
            )
        pending = work.each_pending(work.draft.root, scored, "evaluating", member=case_member)
        for name in pending:
            _score(work, cases, references, name, predict, recipe.evaluate, one_object)
        _seal(work, cases, scored, what)

    run_stage(plan, output, work=work, force=force, progress=progress)
    scores = Scores(output)
    write_csv(scores, _beside(output, ".csv"))
    write_json(scores, _beside(output, ".json"))
    return output


def _beside(output: Path, ending: str) -> Path:
    """scores.zarr to scores.csv; a name without .zarr keeps all of its dots."""
    return output.with_name(output.name.removesuffix(".zarr") + ending)


def _class_indices(cases: Cases, names: Sequence[str]) -> list[int]:
    known = cases.facts.class_names[1:]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"--largest-component {unknown[0]}: the classes are {', '.join(known)}")
    return [1 + known.index(name) for name in names or known]


def _checkpoint_source(
    work: Work, cases: Cases, path: Path, recipe: Recipe, device: str
) -> "tuple[Sequence[str], Predict]":
    """The cases that a checkpoint is scored on, and how it predicts one."""
    from samssl_cli.stages.device import pick_device
    from samssl_cli.stages.specialist import load_specialist

    checkpoint = Checkpoint(path)
    check_same_classes(cases, checkpoint)
    note_other_training(cases, checkpoint, work.progress)
    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device))

    def predict(name: str) -> "NDArray[np.float32]":
        return specialist.predict(cases.read_unlabeled(name).image)

    roles = {
        "test": cases.test,
        "unlabeled": cases.unlabeled,
        "held-out": cases.unlabeled + cases.test,
    }
    return roles[recipe.evaluate.cases], predict


def _label_source(cases: Cases, path: Path) -> "tuple[Sequence[str], Predict]":
    """The cases that have a pseudo-label, and its probabilities."""
    labels = PseudoLabels(path)
    check_made_from(cases, path, labels.cases_fingerprint, cure="samssl sam-label")

    def predict(name: str) -> "NDArray[np.float32]":
        import numpy as np

        return labels.read(name).confidence.astype(np.float32)

    return labels.names, predict


def _score(
    work: Work,
    cases: Cases,
    references: HeldOutLabels,
    name: str,
    predict: "Predict",
    options: Evaluate,
    one_object: Sequence[int],
) -> None:
    from samssl_cli.metrics.score import score_case
    from samssl_cli.volumes.geometry import to_native_probability

    geometry = cases.read_unlabeled(name).geometry
    native = to_native_probability(predict(name), geometry)
    labels = _cleaned(native, options, one_object)
    reference, grid = references.read(name), geometry.native
    rows = {
        row: [
            vars(score)
            for score in score_case(label, reference, grid.spacing_mm, cases.facts.num_classes)
        ]
        for row, label in labels.items()
    }
    scores = CaseScores(prediction=labels[HEADLINE], grid=grid, rows=rows)
    write_case_scores(work.draft.root, name, scores)


def _cleaned(
    probability: "NDArray[np.float32]", options: Evaluate, one_object: Sequence[int]
) -> "dict[str, NDArray[np.uint8]]":
    """The label map (native) of each row."""
    import numpy as np

    from samssl_cli.metrics.postprocess import blur_largest_component, largest_component

    raw = probability.argmax(axis=0).astype(np.uint8)
    sigma = options.blur_sigma_voxels
    return {
        "raw": raw,
        "largest-component": largest_component(raw, one_object),
        "blur+largest-component": blur_largest_component(probability, sigma, one_object),
    }


def _seal(work: Work, cases: Cases, names: Sequence[str], what: Manifest) -> None:
    import numpy as np

    from samssl_cli.artifacts.members import read_member_attributes

    root = work.draft.root
    records = [read_member_attributes(root.member(case_member(name)))["rows"] for name in names]
    values = np.array(
        [
            [[[record["values"][m] for m in METRICS] for record in case[row]] for case in records]
            for row in ROWS
        ],
        np.float64,
    )
    classes = cases.facts.class_names[1:]
    write_values(root, values, rows=ROWS, cases=names, classes=classes, metrics=list(METRICS))
    known = ("method", "steps", "checkpoint_rule", "label_budget", "predictor")
    work.draft.seal(
        {
            **cases.facts.to_json(),
            "scored": "checkpoint" if what.kind == "checkpoint" else "pseudo-labels",
            "rows": list(ROWS),
            "headline": HEADLINE,
            "metrics": list(METRICS),
            "made_from_these_cases": what.plan["inputs"]["cases"] == cases.fingerprint,
            **{key: what.about[key] for key in known if key in what.about},
        }
    )
