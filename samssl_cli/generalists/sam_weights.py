"""Load the weights of a Segment Anything model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.checkpoint_file import PUBLISHED, WeightsFacts
from samssl_cli.generalists.sam_architecture import (
    OFFICIAL,
    PIXEL_MEAN,
    PIXEL_STD,
    build,
    detect,
)
from samssl_cli.generalists.sam_attention import make_lean
from samssl_cli.generalists.sam_image_size import resized
from samssl_cli.generalists.state_dict import check_state_dict, read_state_dict

ArchitectureName = Literal["auto", "vit_b", "vit_l", "vit_h"]


def load_sam(
    path: Path,
    *,
    device: str,
    architecture: ArchitectureName = "auto",
    image_size: int | None = None,
) -> Any:
    """Load a SAM, frozen and in evaluation mode, in single precision.

    Args:
        path: the weights; see `read_tensors`.
        device: where the model is put.
        architecture: "auto" reads every size from the weights; a name insists on that one.
        image_size: of the pictures, in pixels; None is that of the weights.

    Returns:
        A `segment_anything.modeling.Sam`.

    Raises:
        WeightsError: when the file is missing, damaged, unsafe, not finite, or of another model.
    """
    weights: Mapping[str, torch.Tensor] = read_state_dict(path, published=PUBLISHED)
    with torch.device("meta"):  # no random start: ViT-H has 640 million numbers
        sam = _build_like(weights) if architecture == "auto" else build(OFFICIAL[architecture])
    check_state_dict(
        weights,
        sam.state_dict(),
        path,
        model="Segment Anything model",
        cure=f"expected {PUBLISHED}, or set sam_label.options.sam.architecture to auto",
    )
    if image_size is not None:
        sam, weights = _for_pictures_of(image_size, weights, path)
    sam.load_state_dict(weights, strict=True, assign=True)
    make_lean(sam)
    sam.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(-1, 1, 1), persistent=False)
    sam.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(-1, 1, 1), persistent=False)
    return sam.requires_grad_(False).eval().to(device)


def identify_sam(path: Path) -> WeightsFacts:
    """Load a weights file as `sam` would, and tell which SAM it is.

    Raises:
        WeightsError: as `load_sam` does.
    """
    weights = load_sam(path, device="cpu").state_dict()
    found = detect(weights)
    size = next(
        (name for name, known in OFFICIAL.items() if known == found), "of no published size"
    )
    return WeightsFacts(
        model=f"Segment Anything or MedSAM, {size}",
        num_tensors=len(weights),
        num_parameters=sum(value.numel() for value in weights.values()),
    )


def _for_pictures_of(
    image_size: int, weights: Mapping[str, torch.Tensor], path: Path
) -> tuple[Any, Mapping[str, torch.Tensor]]:
    """A model without weights for pictures of this size, and its weights."""
    try:
        shape, interpolated = resized(weights, image_size)
    except ValueError as error:
        raise WeightsError(f"{path}: sam_label.options.sam.image_size: {error}") from error
    with torch.device("meta"):
        return build(shape), interpolated


def _build_like(weights: Mapping[str, torch.Tensor]) -> Any:
    """A model of the weights' own shape; a ViT-B, to compare with, when there is no such SAM."""
    try:
        return build(detect(weights))
    except (LookupError, ValueError, ArithmeticError, AssertionError, RuntimeError):
        return build(OFFICIAL["vit_b"])
