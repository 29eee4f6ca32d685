"""Read a model's weights from a file, and refuse everything else in one plain line.

The file is a `.pth` (read with `weights_only`: code in it is never run) or a `.safetensors`: a
state dict, bare or under "model", "state_dict" or "model_state_dict".
"""

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.checkpoint_file import require_weights

StateDict = dict[str, torch.Tensor]

_WRAPPERS = ("model", "state_dict", "model_state_dict")
_PREFIX = "module."  # left by torch's DataParallel
_MOST_TIMES_THE_FILE = 4


def read_state_dict(path: Path, *, published: str, harmless: Sequence[Any] = ()) -> StateDict:
    """Read names and tensors, floats in single precision, on the CPU.

    Args:
        path: the weights.
        published: the files that would do, for the messages.
        harmless: types besides tensors that may lie in the file, as `torch.serialization` takes
            them; building one must not be able to run code.

    Raises:
        WeightsError: when the file is missing, damaged, unsafe, or no state dict.
    """
    tensors = read_tensors(path, published=published, harmless=harmless)
    return {
        key: value.float() if value.is_floating_point() else value for key, value in tensors.items()
    }


def read_tensors(path: Path, *, published: str, harmless: Sequence[Any] = ()) -> StateDict:
    """Read names and tensors as they are, on the CPU; see `read_state_dict`."""
    require_weights(path)
    _refuse_packed(path)
    tensors = _unwrapped(_read(path, harmless), path, published)
    _check_plain(tensors, path)
    return tensors


def check_state_dict(
    weights: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Tensor],
    path: Path,
    *,
    model: str,
    cure: str,
) -> None:
    """Check that the weights are those of a model, key by key, and finite.

    Args:
        weights: what the file holds.
        expected: a state dict of the model; only its keys and shapes are looked at.
        path: of the file.
        model: the name of the model, for the message.
        cure: what to do instead, for the message.

    Raises:
        WeightsError: when a key is missing, unexpected, of another shape or not finite.
    """
    problems = {
        "missing": [key for key in expected if key not in weights],
        "unexpected": [key for key in weights if key not in expected],
        "of another shape": [
            key for key in expected if key in weights and expected[key].shape != weights[key].shape
        ],
    }
    found = "; ".join(f"{_some(keys)} {what}" for what, keys in problems.items() if keys)
    if found:
        raise WeightsError(f"weights {path}: not the expected {model}: {found}; {cure}")
    broken = [key for key, value in weights.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise WeightsError(
            f"weights {path}: {_some(broken)} not finite (NaN or infinity); download the file again"
        )


def _read(path: Path, harmless: Sequence[Any]) -> Any:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device="cpu")
        with torch.serialization.safe_globals(list(harmless)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything at all
        raise WeightsError(f"weights {path}: {_why_unreadable(error)}") from error


def _refuse_packed(path: Path) -> None:
    """Refuse a .pth that is compressed: torch never does it, and a few bytes become gigabytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # a .safetensors, an old .pth, or damaged: whoever reads it will tell
    if unpacked > path.stat().st_size:
        raise WeightsError(
            f"weights {path}: refused: {path.stat().st_size} bytes unpack to {unpacked}, and torch "
            "compresses nothing; save the model's state_dict() again"
        )


def _check_plain(tensors: StateDict, path: Path) -> None:
    """Refuse tensors that are more than the bytes of the file: sparse, or one number repeated.

    Some weights lie in a file once and have two names, so up to four times as much is believed.
    """
    strange = [
        key
        for key, value in tensors.items()
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu"
    ]
    if strange:
        raise WeightsError(f"weights {path}: {_some(strange)} no plain tensor; save dense ones")
    num_bytes = sum(value.numel() * value.element_size() for value in tensors.values())
    if num_bytes > _MOST_TIMES_THE_FILE * path.stat().st_size:
        raise WeightsError(
            f"weights {path}: {path.stat().st_size} bytes claim to be tensors of {num_bytes}; "
            "damaged, or another kind of file"
        )


def _why_unreadable(error: Exception) -> str:
    """Say it in our words: torch's own advice for these files is to run the code in them."""
    named = re.search(r"unsupported (?:global|class):? (?:GLOBAL )?([\w.]+)", str(error), re.I)
    if named:
        return (
            f"refused: it holds Python objects ({named[1][:80]}), which could run code, and not "
            "only tensors; save the model's state_dict() instead"
        )
    return f"not readable as weights ({type(error).__name__}): damaged, or another kind of file"


def _unwrapped(content: Any, path: Path, published: str) -> StateDict:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"weights {path}: holds a {type(content).__name__}, not a dictionary of tensors; "
            f"expected {published}"
        )
    others = [key for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise WeightsError(f"weights {path}: {_some(others)} not a tensor; expected {published}")
    return {str(key).removeprefix(_PREFIX): value for key, value in content.items()}


def _some(keys: list[Any]) -> str:
    """A count and the first three: "5 entries (a, b, c, …)"."""
    shown = ", ".join(str(key)[:80] for key in keys[:3])
    more = ", …" if len(keys) > 3 else ""
    return f"{len(keys)} {'entry' if len(keys) == 1 else 'entries'} ({shown}{more})"
