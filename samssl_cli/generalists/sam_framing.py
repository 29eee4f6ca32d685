"""How a picture of any size gets into SAM's square input, and how masks get in and out again.

SAM and MedSAM share an architecture but not this: showing a model pictures framed or scaled for the
other is the silent kind of mistake.
"""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from samssl_cli.generalists.torchvision_shim import ensure_torchvision

PictureSize = tuple[int, int]
"""Rows and columns (H, W) of a picture, before framing."""


class Framing(Protocol):
    """A way into the input square of S x S pixels, and back."""

    def image(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Turn a picture (H, W, 3) into the encoder's input (3, S, S)."""

    def coordinates(self, xy: NDArray[np.float64], size: PictureSize) -> NDArray[np.float64]:
        """Convert (..., 2) pixels (x, y) of the picture to those of the square."""

    def into_square(self, planes: Tensor, *, fill: float) -> Tensor:
        """Fit planes (B, 1, H, W) into the square (B, 1, S, S), with `fill` in the padding."""

    def out_of_square(self, low_res: Tensor, size: PictureSize) -> Tensor:
        """Bring decoder logits (B, M, s, s) to the picture's size (B, M, H, W)."""


class SamFraming:
    """SAM's own: longest side to S, zero padding below and right, ImageNet mean and deviation.

    Source: `SamPredictor.set_image` and `predict`, facebookresearch/segment-anything.
    """

    def __init__(self, sam: Any) -> None:
        ensure_torchvision()
        from segment_anything.utils.transforms import ResizeLongestSide

        self._sam = sam
        self._resize = ResizeLongestSide(sam.image_encoder.img_size)

    def image(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Turn a picture (H, W, 3) into the encoder's input (3, S, S)."""
        resized = self._resize.apply_image(np.ascontiguousarray(pixels))
        picture = torch.as_tensor(resized, device=self._sam.device).permute(2, 0, 1)
        return _tensor(self._sam.preprocess(picture))

    def coordinates(self, xy: NDArray[np.float64], size: PictureSize) -> NDArray[np.float64]:
        """Convert (..., 2) pixels (x, y) of the picture to those of the square."""
        return np.asarray(self._resize.apply_coords(xy, size), np.float64)

    def into_square(self, planes: Tensor, *, fill: float) -> Tensor:
        """Fit planes (B, 1, H, W) into the square (B, 1, S, S), with `fill` in the padding."""
        height, width = self._input_size((planes.shape[-2], planes.shape[-1]))
        resized = functional.interpolate(planes, (height, width), mode="bilinear", antialias=True)
        side = self._resize.target_length
        return functional.pad(resized, (0, side - width, 0, side - height), value=fill)

    def out_of_square(self, low_res: Tensor, size: PictureSize) -> Tensor:
        """Bring decoder logits (B, M, s, s) to the picture's size (B, M, H, W)."""
        return _tensor(self._sam.postprocess_masks(low_res, self._input_size(size), size))

    def _input_size(self, size: PictureSize) -> PictureSize:
        height, width = self._resize.get_preprocess_shape(*size, self._resize.target_length)
        return height, width


class MedSamFraming:
    """MedSAM's: stretched to the square, each picture scaled to 0-1.

    Source: `MedSAM_Inference.py`, bowang-lab/MedSAM.
    Differs: torch's antialiased bicubic instead of scikit-image's, and no rounding to 8 bits after
    it; logits, not probabilities, are enlarged, as SAM does.
    """

    def __init__(self, sam: Any) -> None:
        self._device = sam.device
        self._side = int(sam.image_encoder.img_size)

    def image(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Turn a picture (H, W, 3) into the encoder's input (3, S, S)."""
        picture = torch.tensor(pixels.copy(), device=self._device).permute(2, 0, 1)[None].float()
        stretched = functional.interpolate(picture, self._square, mode="bicubic", antialias=True)[0]
        stretched = stretched.clamp(0, 255)  # bicubic overshoots
        low, high = stretched.amin(), stretched.amax()
        return (stretched - low) / (high - low).clamp(min=1e-8)

    def coordinates(self, xy: NDArray[np.float64], size: PictureSize) -> NDArray[np.float64]:
        """Convert (..., 2) pixels (x, y) of the picture to those of the square."""
        height, width = size
        return np.multiply(xy, self._side / np.array([width, height], np.float64))

    def into_square(self, planes: Tensor, *, fill: float) -> Tensor:
        """Fit planes (B, 1, H, W) into the square (B, 1, S, S); all of it is picture."""
        return functional.interpolate(planes, self._square, mode="bilinear", antialias=True)

    def out_of_square(self, low_res: Tensor, size: PictureSize) -> Tensor:
        """Bring decoder logits (B, M, s, s) to the picture's size (B, M, H, W)."""
        return functional.interpolate(low_res, size, mode="bilinear", align_corners=False)

    @property
    def _square(self) -> PictureSize:
        return self._side, self._side


def _tensor(value: Any) -> Tensor:
    """Name the type of what the untyped `segment_anything` returns."""
    assert isinstance(value, Tensor)
    return value
