"""Load the weights of a SAM 2, from a folder of transformers or from a file of its authors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists.checkpoint_file import PUBLISHED_SAM2, WeightsFacts
from samssl_cli.generalists.model_folder import TENSORS, read_model_config, require_model_folder
from samssl_cli.generalists.sam2_published_names import (
    BACKBONES,
    config_of,
    is_published_form,
    renamed,
    with_shared_positions,
)
from samssl_cli.generalists.state_dict import StateDict, check_state_dict, read_state_dict
from samssl_cli.generalists.torchvision_shim import ensure_torchvision

VariantName = Literal["sam2", "medsam2"]

_VISION = ("sam2_vision_model", "sam2_hiera_det_model")
_NOT_ARCHITECTURE = ("_implementation", "quantization_config", "auto_map")  # kernels, code

_MOST_PARTS, _LARGEST_NUMBER = 256, 16384  # layers of one kind; channels, pixels, frames

_SIDES: dict[VariantName, int] = {"sam2": 1024, "medsam2": 512}
"""Pixels of the square, for a file, which does not say it; a folder's config.json does."""


def load_sam2(path: Path, *, device: str, variant: VariantName = "sam2") -> Any:
    """Load a SAM 2, frozen and in evaluation mode, in single precision.

    Nothing is asked of the network, and no code in the weights is run: the config is read as JSON
    and the tensors as safetensors or with `weights_only`.

    Args:
        path: a folder with config.json and model.safetensors, or a file with Meta's names.
        device: where the model is put.
        variant: whose weights a file holds; it decides how large a picture is.

    Returns:
        A `transformers.Sam2VideoModel`.

    Raises:
        UsageError: when transformers is not installed.
        WeightsError: when the weights are missing, damaged, unsafe, not finite, or another model's.
    """
    transformers = require_transformers()
    config, weights = _read_folder(path) if path.is_dir() else _read_file(path, _SIDES[variant])
    weights = with_shared_positions(weights)
    with torch.device("meta"):  # first without memory: a config can ask for any size
        expected = _build(transformers, config, path).state_dict()
    check_state_dict(weights, expected, path, model="SAM 2", cure=f"expected {PUBLISHED_SAM2}")
    with torch.random.fork_rng(devices=[]):  # building draws numbers, which are thrown away
        model = _build(transformers, config, path)
    model.load_state_dict(weights, strict=True)
    return model.requires_grad_(False).eval().to(device)


def identify_sam2(path: Path) -> WeightsFacts:
    """Load weights as `sam2` would, and tell which SAM 2 they are.

    Raises:
        UsageError: when transformers is not installed.
        WeightsError: as `load_sam2` does.
    """
    model = load_sam2(path, device="cpu")
    backbone = model.config.vision_config.backbone_config
    size = BACKBONES.get((backbone.hidden_size, tuple(backbone.blocks_per_stage)))
    release = "2.1" if model.config.enable_occlusion_spatial_embedding else "2"
    weights = model.state_dict()
    return WeightsFacts(
        model=f"SAM {release} or MedSAM2, {size.name if size else 'of no published size'}",
        num_tensors=len(weights),
        num_parameters=sum(value.numel() for value in weights.values()),
    )


def require_transformers() -> Any:
    """The module `transformers`, for which torchvision has to be importable.

    Raises:
        UsageError: when it is not installed, or too old to know SAM 2's video model.
    """
    ensure_torchvision()
    try:
        import transformers

        transformers.Sam2VideoModel  # noqa: B018  (it is imported when it is first named)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            "generalist sam2 needs the package transformers, 5 or newer: pip install 'samssl[hf]'"
        ) from error
    return transformers


def _read_folder(path: Path) -> tuple[dict[str, Any], StateDict]:
    require_model_folder(path)
    config = read_model_config(path, model_type="sam2_video")
    return config, read_state_dict(path / TENSORS, published=PUBLISHED_SAM2)


def _read_file(path: Path, side: int) -> tuple[dict[str, Any], StateDict]:
    weights = read_state_dict(path, published=PUBLISHED_SAM2)
    if not is_published_form(weights):
        raise WeightsError(
            f"weights {path}: not the expected SAM 2: it has none of its names (such as "
            f"image_encoder.trunk.pos_embed); expected {PUBLISHED_SAM2}"
        )
    weights = renamed(weights)
    try:
        return config_of(weights, side=side), weights
    except (LookupError, ValueError) as error:
        raise WeightsError(
            f"weights {path}: a SAM 2 of no published size (hiera tiny, small, base+, large); "
            f"expected {PUBLISHED_SAM2}"
        ) from error


def _architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without what could make transformers fetch or run something that is not ours."""
    return {
        key: _architecture(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if not any(word in key for word in _NOT_ARCHITECTURE)
    }


def _check_numbers(key: str, value: Any, path: Path) -> None:
    """Refuse a config with a number far from any SAM 2's: its layers would be made for ever."""
    if isinstance(value, Mapping):
        for inner_key, inner in value.items():
            _check_numbers(str(inner_key), inner, path)
    elif isinstance(value, list):
        for inner in value:
            _check_numbers(key, inner, path)
    elif isinstance(value, int | float):
        counts_parts = any(word in key for word in ("layers", "blocks", "stages", "num_feature"))
        most = _MOST_PARTS if counts_parts else _LARGEST_NUMBER
        if not abs(value) <= most:
            raise WeightsError(
                f"weights {path}: {key[:40]} of its config is {str(value)[:40]}, and no SAM 2 has "
                f"more than {most}"
            )


def _build(transformers: Any, config: dict[str, Any], path: Path) -> Any:
    _check_numbers("", config, path)
    try:
        known = transformers.Sam2VideoConfig.from_dict(_architecture(config))
        backbone = known.vision_config.backbone_config.model_type
        if (known.vision_config.model_type, backbone) != _VISION:
            raise ValueError(f"its image encoder is a {backbone}, expected {_VISION[1]}")
        return transformers.Sam2VideoModel(known).float()
    except Exception as error:  # a config can be wrong in any way at all
        line = str(error).strip().splitlines()
        raise WeightsError(
            f"weights {path}: no SAM 2 can be built as its config says "
            f"({type(error).__name__}: {line[0][:160] if line else ''})"
        ) from error
