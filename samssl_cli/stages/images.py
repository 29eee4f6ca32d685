"""Which files are the images of which case, when a person names files and folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.dataset import RawCase
from samssl_cli.volumes.file_names import NIFTI_SUFFIXES


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
        numbered = [pair for name in cases for pair in _numbered(name, cases[name])]
        cases = dict(numbered)
        problems += [
            f"{next(iter(found.values()))}: is case {name} as {next(iter(cases[name].values()))} "
            "is; rename one of them"
            for name, found in numbered
            if found != cases[name]
        ]
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
    return sorted(file for file in files if file.name.endswith(NIFTI_SUFFIXES))


def _split_name(file: Path) -> tuple[str, int]:
    stem = _stem(file)
    name, _, number = stem.rpartition("_")
    if name and len(number) == 4 and number.isdecimal():
        return name, int(number)
    return stem, 0


def _stem(file: Path) -> str:
    name = file.name
    for ending in NIFTI_SUFFIXES:
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
