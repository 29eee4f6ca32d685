"""Load the weights of a Segment Anything model, and refuse everything else in one plain line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.checkpoint_file import PUBLISHED, require_weights
from samssl_cli.generalists.sam_architecture import (
    OFFICIAL,
    PIXEL_MEAN,
    PIXEL_STD,
    build,
    detect,
)

ArchitectureName = Literal["auto", "vit_b", "vit_l", "vit_h"]

_WRAPPERS = ("model", "state_dict", "model_state_dict")
_PREFIX = "module."  # left by torch's DataParallel


def load_sam(path: Path, *, device: str, architecture: ArchitectureName = "auto") -> Any:
    """Load a SAM, frozen and in evaluation mode, in single precision.

    The file is a `.pth` (read with `weights_only`: code in it is never run) or a `.safetensors`: a
    state dict, bare or under "model", "state_dict" or "model_state_dict".

    Args:
        path: the weights.
        device: where the model is put.
        architecture: "auto" reads every size from the weights; a name insists on that one.

    Returns:
        A `segment_anything.modeling.Sam`.

    Raises:
        WeightsError: when the file is missing, damaged, unsafe, not finite, or of another model.
    """
    require_weights(path)
    weights = _state_dict(_read(path), path)
    with torch.device("meta"):  # no random start: ViT-H has 640 million numbers
        sam = _build_like(weights) if architecture == "auto" else build(OFFICIAL[architecture])
    _check_keys(weights, sam.state_dict(), path)
    _check_finite(weights, path)
    sam.load_state_dict(weights, strict=True, assign=True)
    sam.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(-1, 1, 1), persistent=False)
    sam.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(-1, 1, 1), persistent=False)
    return sam.requires_grad_(False).eval().to(device)


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device="cpu")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything at all
        raise WeightsError(f"weights {path}: {_why_unreadable(error)}") from error


def _why_unreadable(error: Exception) -> str:
    """Say it in our words: torch's own advice for these files is to run the code in them."""
    named = re.search(r"unsupported (?:global|class):? (?:GLOBAL )?([\w.]+)", str(error), re.I)
    if named:
        return (
            f"refused: it holds Python objects ({named[1][:80]}), which could run code, and not "
            "only tensors; save the model's state_dict() instead"
        )
    return f"not readable as weights ({type(error).__name__}): damaged, or another kind of file"


def _state_dict(content: Any, path: Path) -> dict[str, torch.Tensor]:
    """Unwrap a checkpoint to names and single-precision tensors."""
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"weights {path}: holds a {type(content).__name__}, not a dictionary of tensors; "
            f"expected {PUBLISHED}"
        )
    others = [key for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise WeightsError(f"weights {path}: {_some(others)} not a tensor; expected {PUBLISHED}")
    return {
        str(key).removeprefix(_PREFIX): value.float() if value.is_floating_point() else value
        for key, value in content.items()
    }


def _build_like(weights: Mapping[str, torch.Tensor]) -> Any:
    """A model of the weights' own shape; a ViT-B, to compare with, when there is no such SAM."""
    try:
        return build(detect(weights))
    except (LookupError, ValueError, ArithmeticError, AssertionError, RuntimeError):
        return build(OFFICIAL["vit_b"])


def _check_keys(
    weights: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: Path
) -> None:
    problems = {
        "missing": [key for key in expected if key not in weights],
        "unexpected": [key for key in weights if key not in expected],
        "of another shape": [
            key for key in expected if key in weights and expected[key].shape != weights[key].shape
        ],
    }
    found = "; ".join(f"{_some(keys)} {what}" for what, keys in problems.items() if keys)
    if found:
        raise WeightsError(
            f"weights {path}: not the expected Segment Anything model: {found}; "
            f"expected {PUBLISHED}, or set sam_label.options.sam.architecture to auto"
        )


def _check_finite(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    broken = [key for key, value in weights.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise WeightsError(
            f"weights {path}: {_some(broken)} not finite (NaN or infinity); download the file again"
        )


def _some(keys: list[Any]) -> str:
    """A count and the first three: "5 entries (a, b, c, …)"."""
    shown = ", ".join(str(key)[:80] for key in keys[:3])
    more = ", …" if len(keys) > 3 else ""
    return f"{len(keys)} {'entry' if len(keys) == 1 else 'entries'} ({shown}{more})"
