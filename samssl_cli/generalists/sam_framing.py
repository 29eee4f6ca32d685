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

    @property
    def name(self) -> str:
        """What it does with a picture: two framings of one name show the same picture alike."""

    def of_pixels(self, aspect: float) -> "Framing":
        """The same for pixels that are `aspect` times as high as wide."""

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
    Differs: pixels that are not square, which photographs do not have, are shown in their shape.
    """

    def __init__(self, sam: Any, *, aspect: float = 1.0) -> None:
        """Take a model, and the height of a pixel over its width."""
        self._sam = sam
        self._side = int(sam.image_encoder.img_size)
        self._aspect = aspect

    @property
    def name(self) -> str:
        """SAM's, and the shape of pixels that are not square."""
        return "sam" if self._aspect == 1 else f"sam, pixels {self._aspect} times as high as wide"

    def of_pixels(self, aspect: float) -> "SamFraming":
        """The same for pixels that are `aspect` times as high as wide."""
        return SamFraming(self._sam, aspect=aspect)

    def image(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Turn a picture (H, W, 3) into the encoder's input (3, S, S)."""
        ensure_torchvision()
        from torchvision.transforms.functional import resize, to_pil_image

        height, width = self._input_size((pixels.shape[0], pixels.shape[1]))
        resized = np.array(resize(to_pil_image(np.ascontiguousarray(pixels)), [height, width]))
        picture = torch.as_tensor(resized, device=self._sam.device).permute(2, 0, 1)
        return _tensor(self._sam.preprocess(picture))

    def coordinates(self, xy: NDArray[np.float64], size: PictureSize) -> NDArray[np.float64]:
        """Convert (..., 2) pixels (x, y) of the picture to those of the square."""
        (height, width), (shown_height, shown_width) = size, self._input_size(size)
        scale = np.array([shown_width / width, shown_height / height])
        return np.asarray(xy * scale, np.float64)

    def into_square(self, planes: Tensor, *, fill: float) -> Tensor:
        """Fit planes (B, 1, H, W) into the square (B, 1, S, S), with `fill` in the padding."""
        height, width = self._input_size((planes.shape[-2], planes.shape[-1]))
        resized = functional.interpolate(planes, (height, width), mode="bilinear", antialias=True)
        beside = (0, self._side - width, 0, self._side - height)
        return functional.pad(resized, beside, value=fill)

    def out_of_square(self, low_res: Tensor, size: PictureSize) -> Tensor:
        """Bring decoder logits (B, M, s, s) to the picture's size (B, M, H, W)."""
        return _tensor(self._sam.postprocess_masks(low_res, self._input_size(size), size))

    def _input_size(self, size: PictureSize) -> PictureSize:
        """Rows and columns of the square that the picture fills."""
        height, width = size[0] * self._aspect, float(size[1])
        scale = self._side / max(height, width)
        return max(int(height * scale + 0.5), 1), max(int(width * scale + 0.5), 1)


class MedSamFraming:
    """MedSAM's: stretched to the square, each picture scaled to 0-1.

    Source: `MedSAM_Inference.py`, bowang-lab/MedSAM.
    Differs: torch's antialiased bicubic instead of scikit-image's, and no rounding to 8 bits after
    it; logits, not probabilities, are enlarged, as SAM does.
    """

    name = "medsam"

    def __init__(self, sam: Any) -> None:
        self._device = sam.device
        self._side = int(sam.image_encoder.img_size)

    def of_pixels(self, aspect: float) -> "MedSamFraming":
        """The same: it was trained with every picture stretched to the square."""
        return self

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
