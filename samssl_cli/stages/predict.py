"""`samssl predict`: label maps for new images, in their own grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.errors import DataError
from samssl_cli.progress import Progress

_ENDINGS = (".nii.gz", ".nii")
_MAX_BYTES = int(4e9)


@dataclass(frozen=True)
class _Image:
    """The files of one case, one per channel."""

    name: str
    paths: tuple[Path, ...]


def predict(
    checkpoint_path: Path,
    images: Sequence[Path],
    output: Path,
    *,
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
        only_largest: keep the largest component of every class.
        device: where to predict.
        force: predict again where a label map exists.
        progress: where to report.

    Returns:
        The paths of the label maps.

    Raises:
        DataError: listing every image that is missing or lacks a channel; nothing is written then.
    """
    checkpoint = Checkpoint(checkpoint_path)
    cases = find_images(images, checkpoint.facts.channel_names)
    targets = {case.name: output / f"{case.name}.nii.gz" for case in cases}
    pending = [case for case in cases if force or not targets[case.name].exists()]
    if not pending:
        progress.note(f"{output} is up to date")
        return list(targets.values())
    output.mkdir(parents=True, exist_ok=True)
    _predict(checkpoint, pending, targets, progress, only_largest=only_largest, device=device)
    return list(targets.values())


def _predict(
    checkpoint: Checkpoint,
    cases: Sequence[_Image],
    targets: Mapping[str, Path],
    progress: Progress,
    *,
    only_largest: bool,
    device: str,
) -> None:
    import numpy as np

    from samssl_cli.metrics.postprocess import largest_component
    from samssl_cli.stages.device import pick_device
    from samssl_cli.stages.preparation import prepare_image
    from samssl_cli.stages.specialist import load_specialist, predict_case
    from samssl_cli.volumes import nifti
    from samssl_cli.volumes.geometry import to_native_probability

    where = pick_device(device)
    network = load_specialist(checkpoint, where)
    progress.start("predicting", total=len(targets), done=len(targets) - len(cases))
    for case in cases:
        volumes = [nifti.read_volume(path, max_bytes=_MAX_BYTES) for path in case.paths]
        image, grid = np.concatenate([image for image, _ in volumes]), volumes[0][1]
        prepared, geometry = prepare_image(image, grid, checkpoint.facts.preprocessing)
        probability = predict_case(network, prepared, checkpoint, where)
        label = to_native_probability(probability, geometry).argmax(axis=0).astype(np.uint8)
        if only_largest:
            label = largest_component(label, range(1, checkpoint.facts.num_classes))
        nifti.write_label(targets[case.name], label, grid)
        progress.advance({"case": case.name})


def find_images(paths: Sequence[Path], channel_names: Sequence[str]) -> list[_Image]:
    """Group NIfTI files into cases.

    `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, … are the channels of one case, as in nnU-Net. A file
    without such a number is a case of its own.

    Raises:
        DataError: listing what is missing.
    """
    files = [file for path in paths for file in _files(path)]
    cases: dict[str, dict[int, Path]] = {}
    for file in files:
        name, channel = _split_name(file)
        cases.setdefault(name, {})[channel] = file
    problems = [f"{path}: there is no such file" for path in paths if not path.exists()]
    problems += [
        f"{path}: holds no NIfTI file" for path in paths if path.is_dir() and not _files(path)
    ]
    problems += [line for name in cases for line in _missing(name, cases[name], channel_names)]
    if problems:
        raise DataError("the images cannot be predicted:", problems)
    return [_Image(name, tuple(found[c] for c in sorted(found))) for name, found in cases.items()]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.name.endswith(_ENDINGS))


def _split_name(file: Path) -> tuple[str, int]:
    stem = file.name
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    name, _, number = stem.rpartition("_")
    if name and len(number) == 4 and number.isdigit():
        return name, int(number)
    return stem, 0


def _missing(name: str, found: Mapping[int, Path], channel_names: Sequence[str]) -> list[str]:
    if len(channel_names) > 1 and len(found) == 1:
        return []  # one file may hold all channels; reading it will tell
    return [
        f"case {name}: channel {index} ({channel}) is missing; expected {name}_{index:04d}.nii.gz"
        for index, channel in enumerate(channel_names)
        if index not in found
    ]
