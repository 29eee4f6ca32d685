"""`samssl predict`: label maps for new images, in their own grid."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.errors import DataError, UsageError
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.images import find_images
from samssl_cli.stages.prediction_folder import Outputs, PredictionFolder
from samssl_cli.stages.prediction_summary import write_summary
from samssl_cli.volumes import nifti
from samssl_cli.volumes.datasets.dataset import Dataset, RawCase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Predict = Callable[[RawCase, Outputs], None]


def predict(
    checkpoint_path: Path,
    images: Sequence[Path],
    output: Path,
    *,
    recipe: Recipe,
    only_largest: bool,
    with_probabilities: bool = False,
    device: str,
    force: bool,
    progress: Progress,
) -> list[Path]:
    """Write `CASE.nii.gz` into `output` for every image, and `summary.json` beside them.

    A file that is there already stays: a run that also wants the probabilities adds only them.

    Args:
        checkpoint_path: a specialist or student.
        images: NIfTI files or folders of them: CASE_0000.nii.gz (one per channel) or CASE.nii.gz.
        output: a folder, made if needed.
        recipe: its inference, and how large an image may be.
        only_largest: keep the largest component of every class, in the label maps.
        with_probabilities: also write `CASE_probabilities.nii.gz`, (I, J, K, classes) float32 with
            the background first, as the network gives them.
        device: where to predict.
        force: predict again what is there.
        progress: where to report.

    Returns:
        The paths of the label maps, each followed by that of its probabilities.

    Raises:
        UsageError: when a file would go among the images or replace one, or, without `force`, when
            the folder holds files of these names that no earlier run wrote.
        StaleArtifactError: when it holds those of another checkpoint or recipe, without `force`.
        DataError: listing every image that is missing or lacks a channel, with nothing written; or
            every image that could not be read, with the others predicted and summed up.
    """
    checkpoint = Checkpoint(checkpoint_path)
    if any(path.is_dir() and path.resolve() == output.resolve() for path in images):
        raise UsageError(f"-o {output}: holds the images; name another folder for the label maps")
    cases = find_images(images, checkpoint.facts.channel_names)
    folder = PredictionFolder(output, _made_with(checkpoint, recipe, only_largest=only_largest))
    outputs = folder.outputs(cases, with_probabilities=with_probabilities, force=force)
    folder.refuse_images(cases, outputs)
    if not force:
        folder.refuse_others(outputs)
    to_write = {name: one if force else one.missing() for name, one in outputs.items()}
    pending = [case for case in cases if to_write[case.name].paths]
    problems = []
    if pending:
        predict_one = _predictor(
            checkpoint, recipe, only_largest=only_largest, device=device, progress=progress
        )
        folder.claim(outputs)
        progress.start("predicting", total=len(cases), done=len(cases) - len(pending))
        for case in pending:
            problems += _problems_of(predict_one, case, to_write[case.name])
            progress.advance({"case": case.name})
    else:
        progress.note(f"{output} is up to date")
    classes, max_bytes = checkpoint.facts.class_names, _max_bytes(recipe)
    unreadable = write_summary(folder, cases, classes, max_bytes=max_bytes)
    _raise_problems(problems, unreadable, num_pending=len(pending))
    return [path for one in outputs.values() for path in one.paths]


def _made_with(checkpoint: Checkpoint, recipe: Recipe, *, only_largest: bool) -> dict[str, Any]:
    """What decides the files of a folder, as JSON values."""
    return {
        "checkpoint": checkpoint.fingerprint,
        "largest_component": only_largest,
        **recipe.options("inference"),
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


def _predictor(
    checkpoint: Checkpoint,
    recipe: Recipe,
    *,
    only_largest: bool,
    device: str,
    progress: Progress,
) -> "Predict":
    """How one image becomes the files that it is to become."""
    from samssl_cli.stages.device import pick_device
    from samssl_cli.stages.specialist import load_specialist, note_untrained_flips

    note_untrained_flips(checkpoint, recipe.inference, progress)
    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device))
    facts, max_bytes = checkpoint.facts, _max_bytes(recipe)
    images = Dataset(Path(), facts.name, facts.channel_names, facts.class_names, (), "nifti")

    def predict_one(case: RawCase, to_write: Outputs) -> None:
        from samssl_cli.stages.preparation import prepare_image
        from samssl_cli.volumes.geometry import to_native_probability

        image, grid = images.read_image(case, max_bytes=max_bytes)
        prepared, geometry = prepare_image(image, grid, facts.preprocessing)
        probability = to_native_probability(specialist.predict(prepared), geometry)
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
