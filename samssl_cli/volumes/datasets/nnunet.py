"""The nnU-Net raw layout (v1, v2) and that of the Medical Segmentation Decathlon.

    dataset.json                        channels, classes, file ending
    imagesTr/CASE_0000.nii.gz           nnU-Net: one file per channel (_0000, _0001, …)
    imagesTr/CASE.nii.gz                MSD: one file, 4-D when there are several channels
    labelsTr/CASE.nii.gz                for labeled cases only
    imagesTs/…, labelsTs/…              test cases; their labels are optional

Source: nnU-Net documentation, "dataset_format.md"; Antonelli et al., Nature Communications 2022.
"""

import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.dataset import CASE_NAME, UNNAMED, Dataset, RawCase
from samssl_cli.volumes.datasets.description import channel_names, class_names, read_json
from samssl_cli.volumes.file_names import NIFTI_SUFFIXES

_CHANNEL = re.compile(r"(.+)_(\d{4})", re.DOTALL)

Files = dict[str, Path]  # file name without ending -> path
Cases = dict[str, tuple[Path, ...]]  # case name -> its files


def open_nnunet(root: Path) -> Dataset:
    """List the cases of a data set without reading a volume; ordered by name.

    Raises:
        DataError: naming every file that does not fit the layout.
    """
    path = root / "dataset.json"
    description = read_json(path)
    if isinstance(description.get("dataset"), dict):
        raise DataError(
            f'{path}: lists its files under "dataset"; move them to imagesTr and labelsTr instead'
        )
    ending = _file_ending(path, description)
    channels = channel_names(path, description)
    images = {suffix: _files(root / f"images{suffix}", ending) for suffix in ("Tr", "Ts")}
    labels = {suffix: _files(root / f"labels{suffix}", ending) for suffix in ("Tr", "Ts")}
    has_suffixes = "channel_names" in description or _has_channel_suffixes(
        images["Tr"].keys() | images["Ts"].keys(), labels["Tr"].keys(), len(channels)
    )
    problems: list[str] = []
    cases: list[RawCase] = []
    for suffix in ("Tr", "Ts"):
        found: Cases = {name: (file,) for name, file in images[suffix].items()}
        if has_suffixes:
            found = _grouped(images[suffix], len(channels), problems)
        cases += _cases(found, labels[suffix], problems, in_test=suffix == "Ts")
    problems += _duplicates(case.name for case in cases)
    if problems:
        raise DataError(f"{root}: {len(problems)} problems in the data set:", problems)
    if not cases:
        raise DataError(f"{root}: no images *{ending} in imagesTr or imagesTs")
    return Dataset(
        root=root,
        name=str(description.get("name") or UNNAMED),
        channel_names=channels,
        class_names=class_names(path, description),
        cases=tuple(cases),
        reader="nifti",
    )


def _file_ending(path: Path, description: Mapping[str, Any]) -> str:
    ending = description.get("file_ending", ".nii.gz")  # MSD does not say
    if ending not in NIFTI_SUFFIXES:
        raise DataError(
            f'{path}: "file_ending" is {ending!r}, expected .nii.gz or .nii; convert the volumes'
        )
    return str(ending)


def _cases(found: Cases, labels: Files, problems: list[str], *, in_test: bool) -> list[RawCase]:
    """The cases of one folder from their images; adds what is wrong to `problems`."""
    problems += [f"{labels[name]}: a label without an image" for name in labels.keys() - found]
    problems += [
        f"{paths[0]}: {name!r} is not a usable case name; rename it with letters, digits, . _ -"
        for name, paths in found.items()
        if not CASE_NAME.fullmatch(name)
    ]
    return [
        RawCase(name, paths, labels.get(name), in_test=in_test)
        for name, paths in sorted(found.items())
    ]


def _files(folder: Path, ending: str) -> Files:
    """Volumes of a folder by name; hidden files, such as macOS's "._" ones, are skipped."""
    if not folder.is_dir():
        return {}
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {p.name.removesuffix(ending): p for p in paths if p.name.endswith(ending)}


def _has_channel_suffixes(images: Set[str], labels: Set[str], num_channels: int) -> bool:
    """Whether a data set of unstated layout is nnU-Net v1: files CASE_0000, … of each case CASE.

    MSD-like sets may number their cases with four digits, too (amos_0001). A training label tells:
    it has the name of its image there, and that of its case in nnU-Net. Without one, the files are
    channels when every case has exactly the channels described. Labels of test cases are not asked,
    so that the same images are the same cases with and without them.

    Args:
        images: file names without ending, of training and test images together.
        labels: the same of training labels.
        num_channels: what dataset.json describes.
    """
    matches = [_CHANNEL.fullmatch(name) for name in images]
    pairs = [(match[1], int(match[2])) for match in matches if match is not None]
    if len(pairs) < len(images) or labels & images:
        return False
    names = {name for name, _ in pairs}
    complete = {(name, number) for name in names for number in range(num_channels)}
    return bool(labels & names) or set(pairs) == complete


def _grouped(images: Files, num_channels: int, problems: list[str]) -> Cases:
    """The channel files of each case in order; adds missing and surplus ones to `problems`."""
    by_case: dict[str, dict[int, Path]] = {}
    for stem, path in images.items():
        match = _CHANNEL.fullmatch(stem)
        if match is None:
            problems.append(f"{path}: no channel number; rename it to {stem}_0000")
            continue
        by_case.setdefault(match[1], {})[int(match[2])] = path
    for name, files in by_case.items():
        if sorted(files) != list(range(num_channels)):
            numbers = ", ".join(f"_{number:04d}" for number in sorted(files))
            problems.append(
                f"{next(iter(files.values())).parent / name}: channel files {numbers}, expected "
                f"_0000 to _{num_channels - 1:04d}; add the missing files or correct dataset.json"
            )
    return {name: tuple(files[n] for n in sorted(files)) for name, files in by_case.items()}


def _duplicates(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    problems = []
    for name in names:
        if name in seen:
            problems.append(f"case {name} is in imagesTr and in imagesTs; remove or rename one")
        seen.add(name)
    return problems
