"""Look at every file of a case before any work, and tell all that is wrong with it at once."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.dataset import (
    Dataset,
    RawCase,
    channel_problems,
    class_problems,
    image_reader,
    label_reader,
)
from samssl_cli.volumes.geometry import affines_agree
from samssl_cli.volumes.grid import NativeGrid

Volume = TypeVar("Volume")


def check_case(dataset: Dataset, case: RawCase, *, max_bytes: int) -> list[str]:
    """One line for each defect of a case: file, found against expected, cure. Empty when sound.

    Reads images and label completely. A label without foreground is not a defect.
    """
    problems: list[str] = []
    read_image = image_reader(dataset)
    images = [_try(read_image, path, max_bytes, problems) for path in case.images]
    readable = [image for image in images if image is not None]
    if len(readable) == len(images):
        problems += channel_problems(dataset, case, readable)
    if case.label is not None:
        label = _try(label_reader(dataset), case.label, max_bytes, problems)
        if label is not None:
            problems += class_problems(dataset, case.label, label[0])
        if label is not None and readable:
            problems += _grid_problems(case.label, label[1], readable[0][1])
    return problems


def _try(
    read: Callable[..., Volume], path: Path, max_bytes: int, problems: list[str]
) -> Volume | None:
    """What `read` gives, or None after adding its complaint to `problems`."""
    try:
        return read(path, max_bytes=max_bytes)
    except DataError as error:
        problems.append(str(error))
        return None


def _grid_problems(path: Path, label: NativeGrid, image: NativeGrid) -> list[str]:
    difference = affines_agree(image, label)
    if difference is None:
        return []
    return [
        f"{path}: not on the grid of its image (image against label): {difference}; if the "
        "voxels overlay, copy the image's header to the label, otherwise resample the label"
    ]
