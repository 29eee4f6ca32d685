"""The h5 layout of UA-MT (left atrium) and SSL4MIS (BraTS).

    train.list, test.list               or train.txt, test.txt: a case name per line
    CASE/mri_norm2.h5                   UA-MT, possibly one folder deeper
    data/CASE.h5                        SSL4MIS

Each file holds arrays `image` and `label` and nothing about voxel sizes. A dataset.json is optional
and names the channel and the classes.
"""

from pathlib import Path

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.dataset import CASE_NAME, UNNAMED, Dataset, RawCase
from samssl_cli.volumes.datasets.description import (
    channel_names,
    class_names,
    read_json,
    read_text,
)

_ENDINGS = (".list", ".txt")
_NO_SPACING = "the h5 layout stores no voxel size: 1 mm is assumed, so mm are voxels"


def is_ssl4mis(root: Path) -> bool:
    """Whether the folder has a list of training cases."""
    return _list(root, "train") is not None


def open_ssl4mis(root: Path) -> Dataset:
    """List the cases without reading a volume, in the order of the lists.

    Raises:
        DataError: naming every case that is not named properly, listed twice, or has no file.
    """
    problems: list[str] = []
    seen: set[str] = set()
    cases = [
        case
        for role in ("train", "test")
        for name in _names(_list(root, role))
        if (case := _case(root, name, role, seen, problems)) is not None
    ]
    if problems:
        raise DataError(f"{root}: {len(problems)} problems in the data set:", problems)
    if not cases:
        raise DataError(f"{root}: train and test lists are empty; list a case name per line")
    channels, classes = _described(root / "dataset.json")
    return Dataset(
        root=root,
        name=UNNAMED,
        channel_names=channels,
        class_names=classes,
        cases=tuple(cases),
        reader="h5",
        notes=(_NO_SPACING,),
    )


def _described(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Channel and class names."""
    if not path.is_file():
        return ("MRI",), ("background", "foreground")
    description = read_json(path)
    return channel_names(path, description), class_names(path, description)


def _list(root: Path, role: str) -> Path | None:
    paths = (root / f"{role}{ending}" for ending in _ENDINGS)
    return next((path for path in paths if path.is_file()), None)


def _names(path: Path | None) -> list[str]:
    """Names of a list; SSL4MIS puts further columns behind a comma."""
    if path is None:
        return []
    lines = (line.partition(",")[0].strip() for line in read_text(path).splitlines())
    return [line for line in lines if line]


def _case(root: Path, name: str, role: str, seen: set[str], problems: list[str]) -> RawCase | None:
    """The case, or None after adding what is wrong with it to `problems`."""
    path = None
    if not CASE_NAME.fullmatch(name):  # this also keeps "../" and absolute paths out
        problems.append(f"{role} list: {name[:128]!r} is not a usable case name; rename the case")
    elif name in seen:
        problems.append(f"{role} list: case {name} is listed twice; remove one")
    else:
        path = _file(root, name)
        if path is None:
            problems.append(
                f"{role} list: case {name} has no file {name}/mri_norm2.h5 or data/{name}.h5"
            )
    seen.add(name)
    if path is None:
        return None
    from samssl_cli.volumes.h5 import holds_label

    label = path if holds_label(path) else None
    return RawCase(name, (path,), label, in_test=role == "test")


def _file(root: Path, name: str) -> Path | None:
    """The h5 file of a case, wherever the two code bases put it."""
    folders = (root, *sorted(path for path in root.iterdir() if path.is_dir()))
    candidates = (
        path
        for folder in folders
        for path in (folder / name / "mri_norm2.h5", folder / f"{name}.h5")
    )
    return next((path for path in candidates if path.is_file()), None)
