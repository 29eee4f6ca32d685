"""`samssl predict`: label maps for new images, in their own grid."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.shard import Shard, share
from samssl_cli.errors import DataError, UsageError
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.images import find_images
from samssl_cli.stages.prediction_folder import Outputs, PredictionFolder
from samssl_cli.stages.prediction_summary import write_summary
from samssl_cli.volumes.datasets.dataset import Dataset, RawCase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.stages.panel import Weights
    from samssl_cli.stages.refining import Refinement
    from samssl_cli.stages.specialist import Specialist
    from samssl_cli.volumes.geometry import Geometry

    Predict = Callable[[RawCase, Outputs], None]
    Segment = Callable[[RawCase, NDArray[np.float16], Geometry], NDArray[np.float32]]
    """The probabilities (classes, I, J, K) of a preprocessed image (C, I, J, K)."""


def predict(
    checkpoint_path: Path,
    images: Sequence[Path],
    output: Path,
    *,
    recipe: Recipe,
    only_largest: bool,
    with_probabilities: bool = False,
    refine: bool = False,
    weights: "Weights" = None,
    device: str,
    force: bool,
    progress: Progress,
    embeddings: "EmbeddingCache | None" = None,
    shard: Shard | None = None,
) -> list[Path]:
    """Write `CASE.nii.gz` into `output` for every image, and `summary.json` beside them.

    A file that is there already stays: a run that also wants the probabilities adds only them.

    Args:
        checkpoint_path: a specialist or student.
        images: NIfTI files or folders of them: CASE_0000.nii.gz (one per channel) or CASE.nii.gz.
        output: a folder, made if needed.
        recipe: its inference, how large an image may be, and for `refine` prompt and sam_label.
        only_largest: keep the largest component of every class, in the label maps.
        with_probabilities: also write `CASE_probabilities.nii.gz`, (I, J, K, classes) float32 with
            the background first, as the network gives them, or as they are refined.
        refine: put every prediction to the generalist, and combine the two as sam-label would.
        weights: of the generalists that refine.
        device: where to predict.
        force: predict again what is there.
        progress: where to report.
        embeddings: where what the generalist computed of an image is looked up, and kept.
        shard: of the images, while other processes predict the rest; None for all.

    Returns:
        The paths of the label maps, each followed by that of its probabilities; of the shard's
        images alone, if there is one.

    Raises:
        UsageError: when a file would go among the images or replace one, or, without `force`, when
            the folder holds files of these names that no earlier run wrote; when there are weights
            and nothing is refined.
        StaleArtifactError: when it holds those of another checkpoint or recipe, without `force`.
        BusyArtifactError: when another process predicts the same into it.
        DataError: listing every image that is missing or lacks a channel, with nothing written; or
            every image that could not be read, with the others predicted and summed up.
    """
    checkpoint = Checkpoint(checkpoint_path)
    target = os.path.realpath(output)
    if any(path.is_dir() and os.path.realpath(path) == target for path in images):
        raise UsageError(f"-o {output}: holds the images; name another folder for the label maps")
    refinement = _refinement(recipe, weights, progress, refine=refine)
    cases = find_images(images, checkpoint.facts.channel_names)
    made_with = _made_with(checkpoint, recipe, refinement, only_largest=only_largest)
    folder = PredictionFolder(output, made_with)
    outputs = folder.outputs(cases, with_probabilities=with_probabilities, force=force)
    folder.refuse_images(cases, outputs)
    if not force:
        folder.refuse_others(outputs)
    names = share([case.name for case in cases], shard)
    to_write = {name: outputs[name] if force else outputs[name].missing() for name in names}
    pending = [case for case in cases if case.name in to_write and to_write[case.name].paths]

    problems: list[str] = []
    if pending:
        segment = _segmenter(checkpoint, recipe, refinement, device, progress, embeddings)
        predict_one = _predictor(checkpoint, recipe, segment, only_largest=only_largest)
        with folder.held(outputs, shard):
            progress.start("predicting", total=len(names), done=len(names) - len(pending))
            for case in pending:
                problems += _problems_of(predict_one, case, to_write[case.name])
                progress.advance({"case": case.name})
    else:
        progress.note(f"{output} is up to date")
    classes, max_bytes = checkpoint.facts.class_names, _max_bytes(recipe)
    with folder.turn(shard):
        unreadable = write_summary(folder, cases, classes, max_bytes=max_bytes)
    _raise_problems(problems, unreadable, num_pending=len(pending))
    return [path for name in names for path in outputs[name].paths]


def _refinement(
    recipe: Recipe, weights: "Weights", progress: Progress, *, refine: bool
) -> "Refinement | None":
    """Who refines the predictions, if anybody does."""
    if refine:
        from samssl_cli.stages.refining import plan_refinement

        return plan_refinement(recipe, weights, progress)
    if weights:
        file = weights if isinstance(weights, Path) else next(iter(weights.values()))
        raise UsageError(f"--checkpoint {file}: a generalist is asked only with --refine")
    return None


def _made_with(
    checkpoint: Checkpoint, recipe: Recipe, refinement: "Refinement | None", *, only_largest: bool
) -> dict[str, Any]:
    """What decides the files of a folder, as JSON values."""
    return {
        "checkpoint": checkpoint.fingerprint,
        "largest_component": only_largest,
        **recipe.options("inference"),
        **({} if refinement is None else refinement.made_with),
    }


def _max_bytes(recipe: Recipe) -> int:
    return int(recipe.preprocess.max_volume_gb * 1e9)


def _problems_of(predict_one: "Predict", case: RawCase, to_write: Outputs) -> list[str]:
    """Predict one image; what is wrong with it must not keep the others waiting."""
    try:
        predict_one(case, to_write)
    except DataError as error:
        return [str(error)]
    return []


def _segmenter(
    checkpoint: Checkpoint,
    recipe: Recipe,
    refinement: "Refinement | None",
    device: str,
    progress: Progress,
    embeddings: "EmbeddingCache | None",
) -> "Segment":
    """How a preprocessed image becomes probabilities."""
    from samssl_cli.stages.device import pick_device
    from samssl_cli.stages.specialist import load_specialist, note_untrained_flips

    note_untrained_flips(checkpoint, recipe.inference, progress)
    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device, progress))
    if refinement is None:
        return lambda _, image, __: specialist.predict(image)
    return _refiner(specialist, refinement, device, embeddings)


def _refiner(
    specialist: "Specialist",
    refinement: "Refinement",
    device: str,
    embeddings: "EmbeddingCache | None",
) -> "Segment":
    from samssl_cli.stages.asking import embed_once, predict_with_uncertainty, seed_of_case
    from samssl_cli.stages.refining import refine

    generalists, recipe = refinement.load(device, embeddings), refinement.recipe

    def segment(
        case: RawCase, image: "NDArray[np.float16]", geometry: "Geometry"
    ) -> "NDArray[np.float32]":
        seed = seed_of_case(0, case.name)
        probability, uncertainty = predict_with_uncertainty(
            specialist, image, recipe.prompt, seed=seed
        )
        embed = embed_once(generalists, image, geometry.spacing_mm)
        refined = refine(generalists, embed, probability, uncertainty, recipe, seed=seed)
        return refined.combined.probability

    return segment


def _predictor(
    checkpoint: Checkpoint, recipe: Recipe, segment: "Segment", *, only_largest: bool
) -> "Predict":
    """How one image becomes the files that it is to become."""
    facts, max_bytes = checkpoint.facts, _max_bytes(recipe)
    images = Dataset(Path(), facts.name, facts.channel_names, facts.class_names, (), "nifti")

    def predict_one(case: RawCase, to_write: Outputs) -> None:
        from samssl_cli.stages.preparation import prepare_image
        from samssl_cli.volumes import nifti
        from samssl_cli.volumes.geometry import to_native_probability

        image, grid = images.read_image(case, max_bytes=max_bytes)
        prepared, geometry = prepare_image(
            image, grid, facts.preprocessing, where=case.images[0], max_bytes=max_bytes
        )
        probability = to_native_probability(segment(case, prepared, geometry), geometry)
        if to_write.probabilities is not None:
            nifti.write_image(to_write.probabilities, probability, grid)
        if to_write.label is not None:
            label = _label(probability, only_largest=only_largest)
            nifti.write_label(to_write.label, label, grid)

    return predict_one


def _label(probability: "NDArray[np.float32]", *, only_largest: bool) -> "NDArray[np.uint8]":
    from samssl_cli.metrics.postprocess import largest_component
    from samssl_cli.volumes.voxels import likeliest

    label = likeliest(probability)
    return largest_component(label, range(1, len(probability))) if only_largest else label


def _raise_problems(
    problems: Sequence[str], unreadable: Sequence[str], *, num_pending: int
) -> None:
    """Raise a `DataError` when there are any."""
    if problems:
        raise DataError(
            f"{len(problems)} of {num_pending} images could not be predicted:",
            [*problems, *unreadable],
        )
    if unreadable:
        raise DataError(
            f"{len(unreadable)} label maps of an earlier run cannot be read; predict them again "
            "with --force:",
            unreadable,
        )
