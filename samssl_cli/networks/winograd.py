"""Convolutions with fewer multiplications: several outputs in a row share theirs.

Along the first axis of space, four outputs of a kernel of 3 take 12 multiplications, of a kernel of
5 they take 20; from sums of their inputs, 6 and 8 suffice. What is left is 6 or 8 convolutions of
two dimensions on a quarter of the planes. In single precision, at random weights, the result
differs by about 1e-5 of its spread.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.networks.same_size import keeps_size

_AT_ONCE = 2**22
"""Inputs (values, 4 bytes each) that are transformed together: what the sums may take of memory."""
_PAIRS = {3: (1.0, 2.0), 5: (1.0, 2.0, 0.5)}
"""The points, beside 0 and infinity, where polynomials are evaluated: these and their negatives."""
_FEWEST_MAPS = {3: 32, 5: 16}
"""With fewer maps in or out the sums cost what the multiplications save."""
_MOST_WASTE = 1.25
"""How many planes may be computed for each plane that is there."""


class WinogradConvolution(nn.Module):
    """A convolution with a kernel of 3 or 5, a stride of 1 and padding to the same size.

    Shapes: (B, C, I, J, K) to (B, maps, I, J, K), both channels-last. For predicting alone.
    Source: Winograd, 1980; Lavin & Gray, CVPR 2016, arXiv:1509.09308, there along two axes.
    """

    def __init__(self, layer: nn.Conv3d) -> None:
        """Take weights over; `is_replaceable` says from which layers that is possible."""
        super().__init__()
        self.direct = layer
        side = layer.kernel_size[0]
        self.pairs = _PAIRS[side]
        points = [0.0, *(signed for point in self.pairs for signed in (point, -point))]
        self.outputs = len(points) + 2 - side
        squares = [point**2 for point in self.pairs]
        self.at_ends = _coefficients(squares)
        self.at_pairs = [
            _coefficients([other for other in squares if other != square]) for square in squares
        ]
        planes = torch.einsum(
            "pi,ocijk->pocjk", _evaluation(points, side), layer.weight.detach().double()
        ).to(layer.weight.dtype)
        self.weights = nn.ParameterList(
            nn.Parameter(plane[:, :, None].contiguous(memory_format=torch.channels_last_3d))
            for plane in planes
        )

    @staticmethod
    def is_replaceable(layer: nn.Module) -> bool:
        """Whether a layer is such a convolution, with enough maps for it to pay."""
        if not isinstance(layer, nn.Conv3d) or layer.kernel_size[0] not in _PAIRS:
            return False
        fewest = _FEWEST_MAPS[layer.kernel_size[0]]
        return keeps_size(layer) and min(layer.in_channels, layer.out_channels) >= fewest

    def forward(self, features: Tensor) -> Tensor:
        """Convolve; a size that is not worth it goes through the layer that this replaces."""
        size, maps, i, j, k = features.shape
        groups = -(-i // self.outputs)
        planes = groups * self.outputs
        if planes > _MOST_WASTE * i:
            direct: Tensor = self.direct(features)
            return direct
        reach = self.direct.kernel_size[0] // 2
        last = features.contiguous(memory_format=torch.channels_last_3d)
        result = features.new_empty((size, planes, j, k, self.direct.out_channels))
        result = result.permute(0, 4, 1, 2, 3)
        step = max(1, _AT_ONCE // (size * self.outputs * j * k * maps))
        for first in range(0, groups, step):
            begin, end = first * self.outputs, min(first + step, groups) * self.outputs
            self._convolve(_padded(last, begin - reach, end + reach), result[:, :, begin:end])
        return result[:, :, :i]

    def _convolve(self, padded: Tensor, result: Tensor) -> None:
        """Fill whole groups of outputs (B, maps, groups * outputs, J, K) of `result`."""
        groups = result.shape[2] // self.outputs
        taken = len(self.weights)
        inputs = [
            padded[:, :, tap : tap + (groups - 1) * self.outputs + 1 : self.outputs]
            for tap in range(taken)
        ]
        at_zero = self._planes(0, _weighted(inputs[0::2], self.at_ends))
        sums, differences = [], []
        for number, (point, coefficients) in enumerate(zip(self.pairs, self.at_pairs, strict=True)):
            even = _weighted(inputs[2::2], coefficients)
            odd = _weighted(inputs[1::2], coefficients)
            plus = self._planes(2 * number + 1, torch.add(even, odd, alpha=point))
            minus = self._planes(2 * number + 2, even.sub_(odd, alpha=point))
            sums.append(plus + minus)
            differences.append(plus.sub_(minus))
        at_infinity = self._planes(taken - 1, _weighted(inputs[1::2], self.at_ends))
        for place in range(self.outputs):
            found = result[:, :, place :: self.outputs]
            first, second, *others = differences if place % 2 else sums
            powers = [point**place for point in self.pairs]  # the first one is 1
            torch.add(first, second, alpha=powers[1], out=found)
            for other, power in zip(others, powers[2:], strict=True):
                found.add_(other, alpha=power)
            if place == 0:
                found.add_(at_zero)
            if place == self.outputs - 1:
                found.add_(at_infinity)

    def _planes(self, number: int, features: Tensor) -> Tensor:
        """Convolve every plane (J, K) with one of the kernels; the bias goes where it counts once.

        As a batch of planes, since torch takes a slow path on a CPU for few maps of one item.
        """
        size, maps, groups, j, k = features.shape
        flat = features.permute(0, 2, 1, 3, 4).reshape(size * groups, maps, j, k)
        bias = self.direct.bias if number == 1 else None
        found = functional.conv2d(flat, self.weights[number][:, :, 0], bias, padding="same")
        return found.view(size, groups, -1, j, k).transpose(1, 2)


def _padded(features: Tensor, low: int, high: int) -> Tensor:
    """Planes `low` to `high` of (B, C, I, J, K), 0 where there are none; else no copy."""
    last = features.shape[2]
    before, behind = max(-low, 0), max(high - last, 0)
    part = features[:, :, max(low, 0) : min(high, last)]
    return functional.pad(part, (0, 0, 0, 0, before, behind)) if before or behind else part


def _evaluation(points: Sequence[float], side: int) -> Tensor:
    """The matrix (points + 1, side) that takes weights to their values at points and infinity."""
    rows = [
        [
            point**power / np.prod([point - other for other in points if other != point])
            for power in range(side)
        ]
        for point in points
    ]
    return torch.tensor([*rows, [0.0] * (side - 1) + [1.0]], dtype=torch.float64)


def _coefficients(roots: Sequence[float]) -> list[float]:
    """Those of the polynomial with these roots, lowest power first; the last one is 1."""
    return [float(value) for value in np.poly(roots)[::-1]]


def _weighted(inputs: Sequence[Tensor], coefficients: Sequence[float]) -> Tensor:
    """The weighted sum of as many inputs as there are coefficients, as a new tensor."""
    *others, (last, _) = zip(inputs, coefficients, strict=False)
    (second, weight), *rest = others
    total = torch.add(last, second, alpha=weight)
    for one, coefficient in rest:
        total.add_(one, alpha=coefficient)
    return total
