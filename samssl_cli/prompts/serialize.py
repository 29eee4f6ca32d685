"""Prompts as plain arrays and JSON values, for an artifact, and back, exactly.

    points             (N, 3) int32      voxel indices (i, j, k)
    point_is_positive  (N,) bool
    point_owner        (N, 2) int32      [object, set], both counted from 0
    boxes              (M, 2, 3) int32   [low, high]
    box_owner          (M, 2) int32
    mask_frames        (L, 2, 3) int32   [low, high] of the part of the volume that holds the mask
    mask_owner         (L, 2) int32
    mask_bits          (B,) uint8        each frame's voxels, 8 to a byte, one mask after the other

The mask of an object itself is owned by [object, -1]. Masks are stored one by one: perturbed
masks of neighbouring objects may overlap, so that one map of numbers could not hold them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.prompts.box import bounding_box
from samssl_cli.prompts.types import Box, ObjectPrompts, Points, Prompt

Arrays = dict[str, NDArray[Any]]
Owner = tuple[int, int]

_MOST_SETS = 10_000
_ITSELF = -1  # stands for the set of a mask that belongs to the object, not to a prompt


def pack(objects: Sequence[ObjectPrompts], shape: Sequence[int]) -> tuple[Arrays, dict[str, Any]]:
    """Lay out the prompts of a case as arrays and JSON attributes.

    Args:
        objects: what `build_prompts` gave; may be empty.
        shape: (I, J, K) of the case.
    """
    attributes = {
        "shape": [int(n) for n in shape],
        "objects": [
            {
                "class_index": found.class_index,
                "component": found.component,
                "num_sets": len(found.sets),
            }
            for found in objects
        ],
    }
    return _points(objects) | _boxes(objects) | _masks(objects), attributes


def unpack(
    arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]
) -> tuple[ObjectPrompts, ...]:
    """Rebuild exactly what `pack` was given.

    Raises:
        ValueError: when the arrays do not fit each other; `KeyError`, when one is missing.
    """
    _check(arrays, attributes)
    boxes = {
        (int(owner[0]), int(owner[1])): _box(ends)
        for owner, ends in zip(arrays["box_owner"], arrays["boxes"], strict=True)
    }
    masks = dict(_read_masks(arrays, tuple(attributes["shape"])))

    def prompt(owner: Owner) -> Prompt:
        return Prompt(_read_points(arrays, owner), boxes.get(owner), masks.get(owner))

    return tuple(
        ObjectPrompts(
            class_index=row["class_index"],
            component=row["component"],
            mask=masks[number, _ITSELF],
            sets=tuple(prompt((number, index)) for index in range(row["num_sets"])),
        )
        for number, row in enumerate(attributes["objects"])
    )


def _check(arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]) -> None:
    """Raise a `ValueError` for numbers that would make `unpack` fill the memory."""
    shape = np.array(attributes["shape"])
    for key in ("boxes", "mask_frames"):
        ends = arrays[key]
        if ends.shape[1:] != (2, 3) or (ends < 0).any() or (ends > shape).any():
            raise ValueError(f"{key} outside of the volume {shape.tolist()}")
    for row in attributes["objects"]:
        if not all(type(row[key]) is int for key in ("class_index", "component", "num_sets")):
            raise ValueError(f"object {str(dict(row))[:80]}, expected whole numbers")
        if not 0 <= row["num_sets"] <= _MOST_SETS:
            raise ValueError(f"{row['num_sets']} prompt sets, expected {_MOST_SETS} at most")


def _owned(objects: Sequence[ObjectPrompts]) -> Iterator[tuple[Owner, Prompt]]:
    for number, found in enumerate(objects):
        for index, prompt in enumerate(found.sets):
            yield (number, index), prompt


def _points(objects: Sequence[ObjectPrompts]) -> Arrays:
    owners = [owner for owner, prompt in _owned(objects) for _ in range(len(prompt.points))]
    every = sum((prompt.points for _, prompt in _owned(objects)), Points())
    return {
        "points": every.coordinates.astype(np.int32),
        "point_is_positive": every.is_positive,
        "point_owner": _rows(owners, 2),
    }


def _read_points(arrays: Mapping[str, NDArray[Any]], owner: Owner) -> Points:
    mine = (arrays["point_owner"] == owner).all(axis=1)
    return Points(
        arrays["points"][mine].astype(np.int64), arrays["point_is_positive"][mine].astype(bool)
    )


def _boxes(objects: Sequence[ObjectPrompts]) -> Arrays:
    boxes = [(owner, prompt.box) for owner, prompt in _owned(objects) if prompt.box]
    return {
        "boxes": _rows([[box.low, box.high] for _, box in boxes], 2, 3),
        "box_owner": _rows([owner for owner, _ in boxes], 2),
    }


def _masks(objects: Sequence[ObjectPrompts]) -> Arrays:
    masks = [((number, _ITSELF), found.mask) for number, found in enumerate(objects)]
    masks += [(owner, prompt.mask) for owner, prompt in _owned(objects) if prompt.mask is not None]
    frames = [_frame(mask) for _, mask in masks]
    bits = [
        np.packbits(mask[frame.slices]) if frame else np.zeros(0, np.uint8)
        for (_, mask), frame in zip(masks, frames, strict=True)
    ]
    ends = [[frame.low, frame.high] if frame else [[0] * 3] * 2 for frame in frames]
    return {
        "mask_frames": _rows(ends, 2, 3),
        "mask_owner": _rows([owner for owner, _ in masks], 2),
        "mask_bits": np.concatenate([np.zeros(0, np.uint8), *bits]),
    }


def _read_masks(
    arrays: Mapping[str, NDArray[Any]], shape: tuple[int, ...]
) -> Iterator[tuple[Owner, NDArray[np.bool_]]]:
    start = 0
    for owner, ends in zip(arrays["mask_owner"], arrays["mask_frames"], strict=True):
        mask = np.zeros(shape, bool)
        sides = [int(n) for n in ends[1] - ends[0]]
        num_voxels = int(np.prod(sides))
        stop = start + (num_voxels + 7) // 8
        if num_voxels:
            bits = np.unpackbits(arrays["mask_bits"][start:stop], count=num_voxels)
            mask[_box(ends).slices] = bits.reshape(sides)
        start = stop
        yield (int(owner[0]), int(owner[1])), mask


def _frame(mask: NDArray[np.bool_]) -> Box | None:
    """The bounding box of a mask, or None when it is empty."""
    return bounding_box(mask, 0) if mask.any() else None


def _box(ends: NDArray[Any]) -> Box:
    (a, b, c), (d, e, f) = ends.tolist()
    return Box((a, b, c), (d, e, f))


def _rows(values: Sequence[Any], *width: int) -> NDArray[np.int32]:
    """An int32 array (N, *width), also for N = 0."""
    return np.array(values, np.int32).reshape(-1, *width)
