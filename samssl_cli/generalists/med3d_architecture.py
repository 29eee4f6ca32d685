"""SAM-Med3D as a whole, and its published size.

Written from the paper and from the names and shapes of the published weights.
Source: Wang et al., SAM-Med3D, arXiv:2310.15161; uni-medical/SAM-Med3D (`vit_b_ori`).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from samssl_cli.generalists.med3d_decoder import MaskDecoder
from samssl_cli.generalists.med3d_encoder import ImageEncoder
from samssl_cli.generalists.med3d_prompts import PromptEncoder


@dataclass(frozen=True)
class Architecture:
    """Every size of a SAM-Med3D; the defaults are the published ones."""

    window: int = 128
    """Voxels along one side of what the model sees."""
    patch: int = 16
    """Voxels along one side of a token."""
    encoder_width: int = 768
    num_heads: int = 12
    encoder_hidden: int = 3072
    attention_side: int = 14
    """Tokens along one side of the cubes in which most blocks attend; larger than the grid."""
    is_global: tuple[bool, ...] = 4 * (False, False, True)
    """(depth,) whether a block attends to the grid alone rather than to the larger cube."""
    width: int = 384
    """Channels of prompts, features and decoder."""
    mask_channels: int = 16
    decoder_hidden: int = 2048
    decoder_depth: int = 2
    iou_hidden: int = 256

    def __post_init__(self) -> None:
        """Check that the grid lies inside one attention cube."""
        assert self.window % self.patch == 0, self
        assert self.grid <= self.attention_side, self

    @property
    def grid(self) -> int:
        """Tokens along one side of the window."""
        return self.window // self.patch

    @property
    def low_res(self) -> int:
        """Voxels along one side of the masks that are drawn and taken."""
        return 4 * self.grid


class Med3d(nn.Module):
    """A promptable segmentation model for cubic windows of volumes."""

    def __init__(self, shape: Architecture) -> None:
        """Build it with random weights."""
        super().__init__()
        self.shape = shape
        sides = [shape.grid if is_global else shape.attention_side for is_global in shape.is_global]
        self.image_encoder = ImageEncoder(
            grid=shape.grid,
            patch=shape.patch,
            width=shape.encoder_width,
            num_heads=shape.num_heads,
            hidden=shape.encoder_hidden,
            sides=sides,
            out=shape.width,
        )
        self.prompt_encoder = PromptEncoder(
            width=shape.width,
            grid=shape.grid,
            window=shape.window,
            mask_channels=shape.mask_channels,
        )
        self.mask_decoder = MaskDecoder(
            width=shape.width,
            hidden=shape.decoder_hidden,
            depth=shape.decoder_depth,
            iou_hidden=shape.iou_hidden,
        )

    def encode(self, image: Tensor) -> Tensor:
        """Encode windows (B, 1, n, n, n) as features (B, C, g, g, g)."""
        features: Tensor = self.image_encoder(image)
        return features

    def answer(
        self, features: Tensor, coordinates: Tensor, is_positive: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Answer B prompts about one window.

        Args:
            features: (1, C, g, g, g).
            coordinates: (B, N, 3) clicks on voxels of the window; N may be 0.
            is_positive: (B, N) bool.
            previous: (B, 1, 4g, 4g, 4g) logits of the answer before; zeros when there is none.

        Returns:
            Logits (B, 1, 4g, 4g, 4g), cut at 0, and ratings (B,), which no training taught.
        """
        clicks = self.prompt_encoder.clicks(coordinates, is_positive)
        mask = self.prompt_encoder.mask(previous)
        positions = self.prompt_encoder.grid_positions()
        answer: tuple[Tensor, Tensor] = self.mask_decoder(features, positions, clicks, mask)
        return answer
