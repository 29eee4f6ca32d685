"""The same network with fewer multiplications and copies, for predicting alone."""

from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from samssl_cli.networks.few_maps import SubpixelConvolution, SummedConvolution
from samssl_cli.networks.instance_norm import InstanceNorm
from samssl_cli.networks.monai_parts import Convolution
from samssl_cli.networks.winograd import WinogradConvolution


class _Replacement(Protocol):
    """A kind of layer that takes the weights of another over, if it is one that it can replace."""

    def is_replaceable(self, layer: nn.Module, /) -> bool: ...

    def __call__(self, layer: Any, /) -> nn.Module: ...


_REPLACEMENTS: tuple[_Replacement, ...] = (
    SubpixelConvolution,
    SummedConvolution,
    WinogradConvolution,
    InstanceNorm,
)


def fold_for_inference(network: nn.Module) -> None:
    """Change a trained network in place, so that it predicts the same in less time on a CPU.

    Of MONAI's blocks of convolution, normalisation and activation, batch normalisation becomes part
    of the convolution's weights, and PReLU with one slope works in place. Convolutions that can be
    had with fewer multiplications, and instance normalisations, are replaced. Whatever else there
    is stays as it is. The network can not be trained on, and its weights have other names.

    Args:
        network: in evaluation mode, with its final weights, on the CPU.
    """
    for block in list(network.modules()):
        if isinstance(block, Convolution):
            _fold(block)
    _replace(network)


class LeakyInPlace(nn.Module):
    """PReLU with one slope, which overwrites its input."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, features: Tensor) -> Tensor:
        """Multiply what is below 0 by the slope."""
        return functional.leaky_relu_(features, self.slope)


def _fold(block: Convolution) -> None:
    after = dict(block.adn.named_children()) if hasattr(block, "adn") else {}
    if next(iter(after), "") == "N" and isinstance(after["N"], nn.BatchNorm3d):
        is_transposed = isinstance(block.conv, nn.ConvTranspose3d)
        block.conv = fuse_conv_bn_eval(block.conv, after["N"], transpose=is_transposed)
        block.adn.N = nn.Identity()
    activation = after.get("A")
    if isinstance(activation, nn.PReLU) and activation.num_parameters == 1:
        block.adn.A = LeakyInPlace(float(activation.weight.item()))


def _replace(module: nn.Module) -> None:
    """Put the faster layers in, at any depth below `module`."""
    for name, child in module.named_children():
        kind = next((kind for kind in _REPLACEMENTS if kind.is_replaceable(child)), None)
        if kind is None:
            _replace(child)
        else:
            setattr(module, name, kind(child))
