"""Weights that are a folder, as `save_pretrained` of transformers writes one; readable torch-free.

Two files in it matter: `config.json`, which says what to build, and `model.safetensors`. Weights
that lie there as a pickle are not read. Other files (of a processor, say) change nothing.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.checkpoint_file import sha256_of_weights

CONFIG, TENSORS = "config.json", "model.safetensors"

_MOST_CONFIG_BYTES = 1_000_000
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def is_model_folder(path: Path) -> bool:
    """Whether this is a folder of transformers; a `generalist.zarr` has no config.json."""
    return (path / CONFIG).is_file()


def require_model_folder(path: Path) -> None:
    """Check that both files are there.

    Raises:
        WeightsError: naming what is missing.
    """
    if not is_model_folder(path):
        raise WeightsError(f"weights {path}: there is no {CONFIG} in this folder")
    if (path / TENSORS).is_file():
        return
    pickled = sorted(file.name for pattern in _PICKLED for file in path.glob(pattern))
    if pickled:
        raise WeightsError(
            f"weights {path}: refused: {pickled[0]} may hold code, and there is no {TENSORS}; save "
            "the model with save_pretrained, which writes one"
        )
    raise WeightsError(f"weights {path}: there is no {TENSORS} in this folder")


def sha256_of_folder(path: Path) -> str:
    """The SHA-256 over those of both files, as 64 hexadecimal digits.

    Raises:
        WeightsError: when one is missing, is empty or cannot be read.
    """
    require_model_folder(path)
    digests = {name: sha256_of_weights(path / name) for name in (CONFIG, TENSORS)}
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def num_bytes_of_folder(path: Path) -> int:
    """The size of both files."""
    return sum((path / name).stat().st_size for name in (CONFIG, TENSORS))


def read_model_config(path: Path, *, model_type: str) -> dict[str, Any]:
    """Read `config.json`, which has to be that of a certain model.

    Raises:
        WeightsError: when it is not JSON, or says that it is another model's.
    """
    require_model_folder(path)
    try:
        if (path / CONFIG).stat().st_size > _MOST_CONFIG_BYTES:
            raise WeightsError(f"weights {path / CONFIG}: larger than 1 MB, expected a short file")
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"weights {path / CONFIG}: cannot be read as JSON: {error}") from error
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != model_type:
        raise WeightsError(
            f"weights {path}: {CONFIG} is that of model_type {str(found)[:40]!r}, expected "
            f"{model_type!r}"
        )
    known: dict[str, Any] = config
    return known
