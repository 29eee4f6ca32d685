"""Views as flat arrays and JSON values, to be stored in a member."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.forms import whole_numbers
from samssl_cli.gate.view import View
from samssl_cli.prompts.types import Box

_LARGEST_SIDE = 100_000  # voxels


def pack(views: Sequence[View], num_generalists: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the arrays and the attributes of one case; `unpack` is the way back, to the bit."""
    none = np.zeros((1 + 2 * num_generalists, 0), np.float16)
    values = [
        np.concatenate([view.specialist[None], view.said, view.disagreement]) for view in views
    ]
    flat = [value.reshape(len(value), -1).astype(np.float16) for value in values]
    masks = [np.stack([view.mask, _truth(view)]).reshape(2, -1) for view in views]
    arrays = {
        "probability": np.concatenate([none, *flat], axis=1),
        "mask": np.concatenate([np.zeros((2, 0), bool), *masks], axis=1),
    }
    return arrays, {"views": [_record(view) for view in views]}


def unpack(arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]) -> list[View]:
    """The views of one case.

    Raises:
        ValueError: when they are none; `KeyError`, `TypeError` and `AssertionError`, for parts.
    """
    start, views = 0, []
    for record in attributes["views"]:
        window = Box(_corner(record["low"]), _corner(record["high"]))
        shape = tuple(b - a for a, b in zip(window.low, window.high, strict=True))
        stop = start + math.prod(shape)
        probability = arrays["probability"][:, start:stop].astype(np.float32).reshape(-1, *shape)
        masks = arrays["mask"][:, start:stop].reshape(2, *shape)
        views.append(_view(record, window, probability, masks))
        start = stop
    return views


def check_views(views: Sequence[View], num_generalists: int) -> None:
    """Raise a `ValueError` unless these are views that the gate can work with."""
    for view in views:
        values = [view.specialist, *view.said, *view.disagreement]
        if len(values) != 1 + 2 * num_generalists or len(view.said) != num_generalists:
            raise ValueError(f"answers of {len(view.said)} generalists, expected {num_generalists}")
        if not all(((value >= 0) & (value <= 1)).all() for value in values):
            raise ValueError("probabilities beyond 0 to 1")
        if not view.mask.any() or view.mask.dtype != bool:
            raise ValueError("an object without voxels")
        if not all(type(one) is int and one >= 0 for one in _numbers(view)):
            raise ValueError(f"numbers {str(_numbers(view))[:80]}, expected whole ones")
        if not all(math.isfinite(one) and one > 0 for one in view.spacing_mm):
            raise ValueError(f"voxels of {str(view.spacing_mm)[:80]} mm")


def _numbers(view: View) -> tuple[int, ...]:
    return view.class_index, view.component, view.draw


def _corner(values: Any) -> tuple[int, int, int]:
    return whole_numbers(values, at_least=0, at_most=_LARGEST_SIDE)


def _truth(view: View) -> NDArray[np.bool_]:
    return np.zeros_like(view.mask) if view.truth is None else view.truth


def _record(view: View) -> dict[str, Any]:
    return {
        "class_index": view.class_index,
        "component": view.component,
        "low": list(view.window.low),
        "high": list(view.window.high),
        "spacing_mm": list(view.spacing_mm),
        "predicted_iou": [None if np.isnan(one) else float(one) for one in view.predicted_iou],
        "has_truth": view.truth is not None,
        "draw": view.draw,
    }


def _view(
    record: Mapping[str, Any],
    window: Box,
    probability: NDArray[np.float32],
    masks: NDArray[np.bool_],
) -> View:
    num = len(record["predicted_iou"])
    i, j, k = record["spacing_mm"]
    return View(
        class_index=record["class_index"],
        component=record["component"],
        window=window,
        spacing_mm=(i, j, k),
        specialist=probability[0],
        mask=masks[0],
        said=probability[1 : 1 + num],
        disagreement=probability[1 + num :],
        predicted_iou=np.array(
            [np.nan if one is None else one for one in record["predicted_iou"]], np.float32
        ),
        truth=masks[1] if record["has_truth"] else None,
        draw=record["draw"],
    )
