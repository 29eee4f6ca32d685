"""A raw data set as every layout is seen from outside: cases with files, channels and classes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from samssl_cli.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.volumes.grid import NativeGrid
    from samssl_cli.volumes.voxels import Image, Label

_ImageReader: TypeAlias = "Callable[..., tuple[Image, NativeGrid]]"
_LabelReader: TypeAlias = "Callable[..., tuple[Label, NativeGrid]]"

UNNAMED = "unnamed"
"""What a data set is called whose layout has no name for it."""

_DEVICE = r"(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)"  # what Windows takes for a device
CASE_NAME = re.compile(rf"(?!{_DEVICE})[A-Za-z0-9][A-Za-z0-9._-]{{0,127}}")
"""Safe as a file name everywhere."""


@dataclass(frozen=True)
class RawCase:
    """The files of one patient."""

    name: str
    images: tuple[Path, ...]
    """One file per channel, or one file that holds all of them."""
    label: Path | None
    in_test: bool
    """Whether the layout itself sets the case aside for testing."""


@dataclass(frozen=True)
class Dataset:
    """A folder of cases that share channels and classes."""

    root: Path
    name: str
    channel_names: tuple[str, ...]
    class_names: tuple[str, ...]
    """The index is the label value; 0 is the background."""
    cases: tuple[RawCase, ...]
    """In the order of the layout: training cases, then test cases."""
    reader: Literal["nifti", "h5"]
    notes: tuple[str, ...] = ()
    """What a person should know before trusting numbers from this data set."""

    def read_image(self, case: RawCase, *, max_bytes: int) -> tuple[Image, NativeGrid]:
        """All channels as (C, I, J, K) float32 in native axes, and the grid of the first.

        Raises:
            DataError: when a file is unusable, or channels differ in number or grid.
        """
        import numpy as np

        read = image_reader(self)
        volumes = [read(path, max_bytes=max_bytes) for path in case.images]
        problems = channel_problems(self, case, volumes)
        if problems:
            raise DataError(f"case {case.name} cannot be used:", problems)
        return np.concatenate([image for image, _ in volumes]), volumes[0][1]

    def read_grid(self, case: RawCase, *, max_bytes: int) -> NativeGrid:
        """The grid of the first channel, without reading a voxel.

        Raises:
            DataError: when the header of the file is unusable.
        """
        from samssl_cli.volumes import h5, nifti

        read = h5.read_header if self.reader == "h5" else nifti.read_header
        return read(case.images[0], max_bytes=max_bytes)

    def image_digests(self, case: RawCase) -> list[str]:
        """One sha256 per image, blind to a label that lies in the same file."""
        return [self._digest(path, "image") for path in case.images]

    def label_digest(self, case: RawCase) -> str | None:
        """The sha256 of the label, or None without one."""
        return None if case.label is None else self._digest(case.label, "label")

    def read_label(self, case: RawCase, *, max_bytes: int) -> tuple[NDArray[np.uint8], NativeGrid]:
        """The label as (I, J, K) uint8 in native axes, and its grid.

        Raises:
            DataError: when there is no label, it is unusable, or has values that are no class.
        """
        if case.label is None:
            raise DataError(f"case {case.name} has no label file; choose a labeled case")
        label, grid = label_reader(self)(case.label, max_bytes=max_bytes)
        problems = class_problems(self, case.label, label)
        if problems:
            raise DataError(f"case {case.name} cannot be used:", problems)
        return label.astype("uint8", copy=False), grid

    def _digest(self, path: Path, key: Literal["image", "label"]) -> str:
        if self.reader == "nifti":
            return _whole_file(path)
        from samssl_cli.volumes import h5

        return h5.digest(path, key)


def image_reader(dataset: Dataset) -> _ImageReader:
    """What reads a file of images: `(path, max_bytes) -> (C, I, J, K) float32, grid`."""
    from samssl_cli.volumes import h5, nifti

    return h5.read_volume if dataset.reader == "h5" else nifti.read_volume


def label_reader(dataset: Dataset) -> _LabelReader:
    """What reads a label: `(path, max_bytes) -> (I, J, K) integer, grid`."""
    from samssl_cli.volumes import h5, nifti

    return h5.read_label if dataset.reader == "h5" else nifti.read_label


def channel_problems(
    dataset: Dataset, case: RawCase, volumes: Sequence[tuple[Image, NativeGrid]]
) -> list[str]:
    """What keeps the files of a case from being channels of one image."""
    from samssl_cli.volumes.geometry import affines_agree

    found = sum(len(image) for image, _ in volumes)
    expected = len(dataset.channel_names)
    problems = []
    if found != expected:
        problems.append(
            f"{case.images[0]}: {found} channels, expected {expected} "
            f"({', '.join(dataset.channel_names)}); correct the files or dataset.json"
        )
    for path, (_, grid) in zip(case.images[1:], volumes[1:], strict=True):
        difference = affines_agree(volumes[0][1], grid)
        if difference is not None:
            problems.append(
                f"{path}: not on the grid of {case.images[0].name}: {difference}; "
                "register and resample the channels onto one grid"
            )
    return problems


def class_problems(dataset: Dataset, path: Path, label: Label) -> list[str]:
    """Label values that are not the index of a class."""
    from samssl_cli.volumes.voxels import some

    num_classes = len(dataset.class_names)
    beyond = label[label >= num_classes]
    if not beyond.size:
        return []
    return [
        f"{path}: label values {some(beyond)} in {beyond.size} voxels, expected 0 to "
        f"{num_classes - 1} ({', '.join(dataset.class_names)}); relabel, or list them as classes"
    ]


def _whole_file(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path}: is no file, or a link that leads nowhere; copy it again")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
