"""`samssl predict`: label maps for new images, in their own grid."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.errors import DataError, StaleArtifactError, UsageError
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.volumes import nifti
from samssl_cli.volumes.datasets.dataset import Dataset, RawCase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Predict = Callable[[RawCase], None]

_MADE_BY = "predicted-with.json"


def predict(
    checkpoint_path: Path,
    images: Sequence[Path],
    output: Path,
    *,
    recipe: Recipe,
    only_largest: bool,
    device: str,
    force: bool,
    progress: Progress,
) -> list[Path]:
    """Write `CASE.nii.gz` into `output` for every image; a label map that is there already stays.

    Args:
        checkpoint_path: a specialist or student.
        images: NIfTI files or folders of them: CASE_0000.nii.gz (one per channel) or CASE.nii.gz.
        output: a folder, made if needed.
        recipe: its inference, and how large an image may be.
        only_largest: keep the largest component of every class.
        device: where to predict.
        force: predict again where a label map exists.
        progress: where to report.

    Returns:
        The paths of the label maps.

    Raises:
        UsageError: when the label maps would go among the images or replace one, or, without
            `force`, when the folder holds label maps that no earlier run wrote.
        StaleArtifactError: when it holds those of another checkpoint or recipe, without `force`.
        DataError: listing every image that is missing or lacks a channel, with nothing written; or
            every image that could not be read, with the others predicted.
    """
    checkpoint = Checkpoint(checkpoint_path)
    if any(path.is_dir() and path.resolve() == output.resolve() for path in images):
        raise UsageError(f"-o {output}: holds the images; name another folder for the label maps")
    cases = find_images(images, checkpoint.facts.channel_names)
    targets = {case.name: output / f"{case.name}.nii.gz" for case in cases}
    _refuse_images(cases, targets)
    made_by = _made_by(checkpoint, recipe, only_largest=only_largest)
    if not force:
        _refuse_others(output, targets, made_by)
    pending = [case for case in cases if force or not targets[case.name].exists()]
    if not pending:
        progress.note(f"{output} is up to date")
        return list(targets.values())
    predict_one = _predictor(
        checkpoint, targets, images[0], recipe=recipe, only_largest=only_largest, device=device
    )
    _claim(output, targets, made_by)
    progress.start("predicting", total=len(cases), done=len(cases) - len(pending))
    problems = []
    for case in pending:
        problems += _problems_of(predict_one, case)
        progress.advance({"case": case.name})
    if problems:
        raise DataError(
            f"{len(problems)} of {len(pending)} images could not be predicted:", problems
        )
    return list(targets.values())


def _made_by(checkpoint: Checkpoint, recipe: Recipe, *, only_largest: bool) -> str:
    """What decides the label maps of a folder, as JSON."""
    return json.dumps(
        {
            "checkpoint": checkpoint.fingerprint,
            "largest_component": only_largest,
            **recipe.options("inference"),
        }
    )


def _refuse_images(cases: Sequence[RawCase], targets: Mapping[str, Path]) -> None:
    """Raise a `UsageError` when a label map would replace an image, whatever the links say."""
    images = {path.resolve() for case in cases for path in case.images}
    for target in targets.values():
        if target.resolve() in images:
            raise UsageError(f"{target}: is an image; name another folder for the label maps")


def _refuse_others(output: Path, targets: Mapping[str, Path], made_by: str) -> None:
    """Raise an error when the folder holds label maps that this run would not have written."""
    record = output / _MADE_BY
    if not record.exists():
        for target in targets.values():
            if target.exists():
                raise UsageError(
                    f"{target}: exists and was not written by samssl predict (there is no "
                    f"{record}); name another folder, or replace its label maps with --force"
                )
    elif record.read_text(encoding="utf-8").strip() != made_by:
        raise StaleArtifactError(
            f"{output}: holds label maps of another checkpoint, or predicted or cleaned otherwise "
            f"({record}); name another folder, or predict them again with --force"
        )


def _claim(output: Path, targets: Mapping[str, Path], made_by: str) -> None:
    """Let the folder say what its label maps are made by; none made otherwise may remain in it.

    The old ones go first: a run that is killed after this must not find them and call them done.

    Raises:
        UsageError: when the folder holds label maps of other images, made otherwise.
    """
    output.mkdir(parents=True, exist_ok=True)
    record = output / _MADE_BY
    if record.exists() and record.read_text(encoding="utf-8").strip() == made_by:
        return
    others = set(output.glob("*.nii.gz")) - set(targets.values())
    if others:
        raise UsageError(
            f"{output}: also holds {min(others).name}, which is not among these images and was "
            "made otherwise; name another folder, or move it away"
        )
    for target in targets.values():
        target.unlink(missing_ok=True)
    unfinished = output / f".{_MADE_BY}.{os.getpid()}"
    unfinished.write_text(made_by + "\n", encoding="utf-8")
    unfinished.replace(record)


def _problems_of(predict_one: "Predict", case: RawCase) -> list[str]:
    """Predict one image; what is wrong with it must not keep the others waiting."""
    try:
        predict_one(case)
    except DataError as error:
        return [str(error)]
    return []


def _predictor(
    checkpoint: Checkpoint,
    targets: Mapping[str, Path],
    root: Path,
    *,
    recipe: Recipe,
    only_largest: bool,
    device: str,
) -> "Predict":
    """How one image becomes a label map in the file that `targets` names."""
    from samssl_cli.stages.device import pick_device
    from samssl_cli.stages.specialist import load_specialist

    specialist = load_specialist(checkpoint, recipe.inference, pick_device(device))
    facts = checkpoint.facts
    max_bytes = int(recipe.preprocess.max_volume_gb * 1e9)
    images = Dataset(root, facts.name, facts.channel_names, facts.class_names, (), "nifti")

    def predict_one(case: RawCase) -> None:
        from samssl_cli.stages.preparation import prepare_image
        from samssl_cli.volumes.geometry import to_native_probability

        image, grid = images.read_image(case, max_bytes=max_bytes)
        prepared, geometry = prepare_image(image, grid, facts.preprocessing)
        probability = specialist.predict(prepared)
        label = _label(to_native_probability(probability, geometry), only_largest=only_largest)
        nifti.write_label(targets[case.name], label, grid)

    return predict_one


def _label(probability: "NDArray[np.float32]", *, only_largest: bool) -> "NDArray[np.uint8]":
    import numpy as np

    from samssl_cli.metrics.postprocess import largest_component

    label = probability.argmax(axis=0).astype(np.uint8)
    return largest_component(label, range(1, len(probability))) if only_largest else label


def find_images(paths: Sequence[Path], channel_names: Sequence[str]) -> list[RawCase]:
    """Group NIfTI files into cases.

    `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, … are the channels of one case, as in nnU-Net. A file
    without such a number is a case of its own, and so is one that merely ends in a number, such as
    amos_0007 or scan_2019, when the network has one channel and there is no channel 0 beside it.

    Raises:
        DataError: listing what is missing, and what is there twice.
    """
    problems = [f"{path}: there is no such file" for path in paths if not path.exists()]
    problems += [
        f"{path}: holds no NIfTI file" for path in paths if path.is_dir() and not _files(path)
    ]
    cases: dict[str, dict[int, Path]] = {}
    for file in (file for path in paths for file in _files(path)):
        name, channel = _split_name(file)
        known = cases.setdefault(name, {}).setdefault(channel, file)
        if known != file:
            problems.append(f"{file}: is case {name} as {known} is; rename one of them")
    if len(channel_names) == 1:
        cases = {key: value for name in cases for key, value in _numbered(name, cases[name])}
    problems += [line for name in cases for line in _wrong(name, cases[name], channel_names)]
    if problems:
        raise DataError("the images cannot be predicted:", problems)
    return [
        RawCase(name, tuple(found[c] for c in sorted(found)), label=None, in_test=True)
        for name, found in cases.items()
    ]


def _files(path: Path) -> list[Path]:
    """The NIfTI files of a folder, but for hidden ones such as macOS's; a file is itself."""
    if not path.is_dir():
        return [path]
    files = (file for file in path.iterdir() if not file.name.startswith("."))
    return sorted(file for file in files if file.name.endswith(nifti.SUFFIXES))


def _split_name(file: Path) -> tuple[str, int]:
    stem = _stem(file)
    name, _, number = stem.rpartition("_")
    if name and len(number) == 4 and number.isdecimal():
        return name, int(number)
    return stem, 0


def _stem(file: Path) -> str:
    name = file.name
    for ending in nifti.SUFFIXES:
        name = name.removesuffix(ending)
    return name


def _numbered(name: str, found: Mapping[int, Path]) -> list[tuple[str, dict[int, Path]]]:
    """The case as it is, or, without a channel 0, a case for each of its files."""
    if 0 in found:
        return [(name, dict(found))]
    return [(_stem(file), {0: file}) for file in found.values()]


def _wrong(name: str, found: Mapping[int, Path], channel_names: Sequence[str]) -> list[str]:
    if len(channel_names) > 1 and list(found) == [0]:
        return []  # one file may hold all channels; reading it will tell
    surplus = [
        f"{file}: is channel {number} of case {name}, but the network reads "
        f"{len(channel_names)} ({', '.join(channel_names)}); leave it out"
        for number, file in found.items()
        if number >= len(channel_names)
    ]
    missing = [
        f"case {name}: channel {index} ({channel}) is missing; expected {name}_{index:04d}.nii.gz"
        for index, channel in enumerate(channel_names)
        if index not in found
    ]
    return missing + surplus
