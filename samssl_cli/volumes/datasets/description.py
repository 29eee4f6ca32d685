"""The small text files beside the volumes: dataset.json, lists of cases, split.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samssl_cli.errors import DataError
from samssl_cli.volumes.small_file import read_small_file

_MAX_BYTES = 10_000_000
_MAX_CLASSES = 256  # labels are uint8


def read_text(path: Path) -> str:
    """The text of a small UTF-8 file.

    Raises:
        DataError: when it is missing, larger than 10 MB, or not text.
    """
    try:
        return read_small_file(path, max_bytes=_MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or NUL in the path
        raise DataError(f"{path}: cannot be read as text: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small JSON file.

    Raises:
        DataError: when it is not JSON, nested too deeply, or not an object.
    """
    text = read_text(path)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"{path}: expected a JSON object {{...}}, found {type(values).__name__}")
    return values


def channel_names(path: Path, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names under `channel_names` (nnU-Net v2) or `modality` (MSD, nnU-Net v1).

    Raises:
        DataError: when they are missing, or not numbered 0, 1, … without a gap.
    """
    key = "channel_names" if "channel_names" in description else "modality"
    names = description.get(key)
    if not isinstance(names, dict) or not names:
        raise DataError(f'{path}: no channels; add "channel_names": {{"0": "MRI"}}')
    return _consecutive(path, key, {str(k): str(v) for k, v in names.items()})


def class_names(path: Path, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names under `labels`, as {"organ": 1} (nnU-Net v2) or {"1": "organ"} (MSD).

    Raises:
        DataError: when values are not 0, 1, … without a gap, or are regions or an ignore label.
    """
    labels = description.get("labels")
    if not isinstance(labels, dict) or not labels:
        raise DataError(f'{path}: no classes; add "labels": {{"background": 0, "organ": 1}}')
    by_value = labels if _is_msd(labels) else _inverted(path, labels)
    names = _consecutive(path, "labels", by_value)
    if not 2 <= len(names) <= _MAX_CLASSES:
        raise DataError(
            f'{path}: "labels" lists {len(names)} classes, expected background and 1 to '
            f"{_MAX_CLASSES - 1} structures"
        )
    return names


def _is_msd(labels: Mapping[str, Any]) -> bool:
    return all(isinstance(name, str) and not name.isdecimal() for name in labels.values())


def _inverted(path: Path, labels: Mapping[str, Any]) -> dict[str, str]:
    """{"organ": 1} as {"1": "organ"}."""
    by_value: dict[str, str] = {}
    for name, value in labels.items():
        if name == "ignore":
            raise DataError(f'{path}: "labels" has an ignore label; unlabeled voxels need a class')
        if isinstance(value, list):
            raise DataError(
                f'{path}: class "{name}" is a region {value}; regions overlap, and one label '
                "holds one class per voxel: list the values as classes of their own"
            )
        if isinstance(value, bool) or not str(value).isdecimal():
            raise DataError(f'{path}: class "{name}" has value {value!r}, expected 0, 1, …')
        if str(int(value)) in by_value:
            raise DataError(f'{path}: "labels" gives the value {value} to two classes')
        by_value[str(int(value))] = name
    return by_value


def _consecutive(path: Path, key: str, by_value: Mapping[str, str]) -> tuple[str, ...]:
    expected = [str(value) for value in range(len(by_value))]
    if sorted(by_value) != sorted(expected):
        raise DataError(
            f'{path}: "{key}" has the values {", ".join(by_value)}, expected 0 to '
            f"{len(by_value) - 1} without a gap; renumber them"
        )
    names = tuple(by_value[value] for value in expected)
    if len(set(names)) < len(names):
        raise DataError(f'{path}: "{key}" names {", ".join(names)}: each name may occur once')
    return names
