"""A network in two halves: for methods that need features, or decoders of their own.

A network of the table that is an `EncoderDecoder` stays the plain network it is: its weights, their
names and its predictions do not change. Its decoder is a view that shares the network's weights;
`fresh_copy` and `with_upsampling` make decoders with weights of their own from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from samssl_cli.errors import RecipeError
from samssl_cli.networks.fresh import Module, fresh_copy


class Decoder(nn.Module, ABC):
    """From the features of an encoder back to logits.

    A subclass says how the features of each scale come from the coarser ones.
    """

    widths: tuple[int, ...]
    """Channels of each of `features`."""

    def __init__(self, head: nn.Module) -> None:
        """Keep the module that turns the finest features into logits."""
        super().__init__()
        self.head = head

    @abstractmethod
    def features(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Give the features (B, widths[n], ...) of every scale, coarsest first, twice as fine each.

        Those before the last are the bottleneck and what each upsampling gives. The last are what
        the head takes; a head that upsamples takes them at half the resolution.

        Args:
            levels: what the encoder gave, finest first.
        """

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Give the logits (B, classes, I, J, K)."""
        logits: Tensor = self.head(self.features(levels)[-1])
        return logits


@runtime_checkable
class EncoderDecoder(Protocol):
    """A network for which `network(image)` is `network.decoder()(network.encode(image))`."""

    def encode(self, image: Tensor) -> list[Tensor]:
        """Give the features of every level of (B, C, I, J, K), finest first, bottleneck last."""

    def decoder(self) -> Decoder:
        """A view of the other half, which shares the network's weights."""


def halves(network: nn.Module) -> EncoderDecoder:
    """The same network, as one with two halves.

    Raises:
        RecipeError: when it has none.
    """
    if not isinstance(network, EncoderDecoder):
        raise RecipeError(
            f"{type(network).__name__} has no encoder and decoder to take apart, which this method "
            "needs: set network.name to unet, vnet or segresnet"
        )
    return network


def with_upsampling(decoder: Module, mode: Literal["linear", "nearest"]) -> Module:
    """A fresh copy that doubles its features by interpolation instead of transposed convolution.

    Each transposed convolution becomes an interpolation and a 3x3x3 convolution.
    Source: MC-Net+ (Wu et al., MedIA 2022, arXiv:2109.09960) and its published code.
    """
    fresh = fresh_copy(decoder)
    for parent in list(fresh.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ConvTranspose3d):
                setattr(parent, name, _interpolation(child, mode))
    return fresh


def _interpolation(replaced: nn.ConvTranspose3d, mode: Literal["linear", "nearest"]) -> nn.Module:
    upsample = (
        nn.Upsample(scale_factor=2, mode="trilinear", align_corners=True)
        if mode == "linear"
        else nn.Upsample(scale_factor=2, mode="nearest")
    )
    convolution = nn.Conv3d(replaced.in_channels, replaced.out_channels, 3, padding=1)
    return nn.Sequential(upsample, convolution.to(replaced.weight.device))
