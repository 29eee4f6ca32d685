"""Let every rank of a team send its share of the patches through a network, and see all outputs.

A pass of a network over a batch gives the same on any number of ranks, up to the order of sums:

- of the patches that go in, each rank takes its share (`Team.share`), and what comes out is put
  together again, so that a loss sees the outputs for the whole batch on every rank;
- batch normalisation takes its statistics over the shares of all ranks;
- dropout draws its mask for the whole batch, as one process would, and uses its share of it.

On the way back, the gradient of every output is there on every rank; the gradients of the weights
are those of a rank's own share, and the loop adds them up. A rank without a patch sends the first
one through, and nothing of that counts.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from samssl_cli.training.team import Team


def share_passes(networks: Mapping[str, nn.Module], team: Team) -> None:
    """Share the passes of these networks among the ranks; alone, leave them as they are."""
    if team.size > 1:
        for network in networks.values():
            _SharedPass(network, team)


class _SharedPass:
    """What happens around and inside of one network's pass."""

    def __init__(self, network: nn.Module, team: Team) -> None:
        """Hook into the network; its modules, their names and their weights stay what they are."""
        self._team = team
        self._count = 0
        """Of the patches of the whole pass."""
        network.register_forward_pre_hook(self._before)
        network.register_forward_hook(self._after)
        for module in network.modules():
            # A hook could not stand in for the pass of a module.
            if isinstance(module, _BatchNorm):
                vars(module)["forward"] = _Normalise(module, self)
            elif isinstance(module, _DropoutNd):
                vars(module)["forward"] = _Drop(module, self)

    @property
    def team(self) -> Team:
        """Whose pass it is."""
        return self._team

    @property
    def count(self) -> int:
        """Patches of the whole pass."""
        return self._count

    @property
    def ours(self) -> slice:
        """Those that count on this rank; perhaps none."""
        return self._team.share(self._count)

    @property
    def sent(self) -> slice:
        """Those that this rank sends through: one or more."""
        ours = self.ours
        return ours if ours.start < ours.stop else slice(0, 1)

    def _before(self, _network: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self._count = len(given[0])
        return tuple(_apply(_Take, one, self) for one in given)

    def _after(self, _network: nn.Module, _given: object, output: Tensor) -> Tensor:
        return _apply(_Collect, output, self)


class _Take(torch.autograd.Function):
    """Some patches of a batch; on the way back, everyone's gradients of them."""

    @staticmethod
    def forward(ctx: Any, batch: Tensor, shared: _SharedPass) -> Tensor:
        ctx.team, ctx.count, ctx.ours = shared.team, shared.count, shared.ours
        return batch[shared.sent]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        ours = gradients[0][: ctx.ours.stop - ctx.ours.start]
        return ctx.team.collect(ours, ctx.count), None


class _Collect(torch.autograd.Function):
    """The outputs for all patches; on the way back, the gradients of ours."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, shared: _SharedPass) -> Tensor:
        ctx.shape, ctx.ours = output.shape, shared.ours
        size = ctx.ours.stop - ctx.ours.start
        return shared.team.collect(output[:size], shared.count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        ours = gradients[0].new_zeros(ctx.shape)
        ours[: ctx.ours.stop - ctx.ours.start] = gradients[0][ctx.ours]
        return ours, None


class _Normalise:
    """Batch normalisation over the shares of all ranks."""

    def __init__(self, norm: _BatchNorm, shared: _SharedPass) -> None:
        self._norm, self._shared = norm, shared
        self._alone = norm.forward

    def __call__(self, features: Tensor) -> Tensor:
        if not self._norm.training:
            return self._alone(features)
        size = self._shared.ours.stop - self._shared.ours.start
        normalised, mean, variance, count = cast(
            tuple[Tensor, Tensor, Tensor, Tensor],
            _BatchNormalisation.apply(  # type: ignore[no-untyped-call]  # torch has no types here
                features,
                self._norm.weight,
                self._norm.bias,
                self._norm.eps,
                size,
                self._shared.team,
            ),
        )
        self._follow(mean, variance * (count / (count - 1).clamp_min(1)))
        return normalised

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics as torch does."""
        norm = self._norm
        if norm.running_mean is None or norm.running_var is None:
            return
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        share = norm.momentum
        share = 1 / float(norm.num_batches_tracked) if share is None else share
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(variance, share)


class _BatchNormalisation(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, with the team's mean and variance.

    Shapes: x (n, C, ...), of which the first `size` count; weight and bias (C,), or None.
    Source: Ioffe & Szegedy, ICML 2015, arXiv:1502.03167; the variances of shares are put together
    after Chan, Golub & LeVeque, 1979.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        size: int,
        team: Team,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance, count = _moments(x[:size].float(), team)
        scale = (variance + eps).rsqrt()
        factor = scale if weight is None else scale * weight
        offset = -mean * factor if bias is None else bias - mean * factor
        ctx.save_for_backward(x, mean, scale, count, *([] if weight is None else [weight]))
        ctx.size, ctx.team, ctx.has_bias = size, team, bias is not None
        ctx.mark_non_differentiable(mean, variance, count)
        y = torch.addcmul(_as_channels(offset, x), x.float(), _as_channels(factor, x))
        return y.to(x.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, scale, count, *rest = ctx.saved_tensors
        weight = rest[0] if rest else None
        dy = gradients[0].float()
        normal = (x.float() - _as_channels(mean, x)) * _as_channels(scale, x)
        others = _all_but_channels(x)
        d_bias, d_weight = dy.sum(others), (dy * normal).sum(others)
        d_mean, d_spread = ctx.team.add_up(torch.stack([d_bias, d_weight])) / count
        dx = dy - _as_channels(d_mean, x) - normal * _as_channels(d_spread, x)
        dx *= _as_channels(scale if weight is None else scale * weight, x)
        dx[ctx.size :] = 0  # what does not count
        return (
            dx.to(x.dtype),
            None if weight is None else d_weight,
            d_bias if ctx.has_bias else None,
            None,
            None,
            None,
        )


def _moments(x: Tensor, team: Team) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance (C,) over the shares (n, C, ...) of all ranks, and the number of values."""
    number = x.numel() // x.shape[1]
    mean = x.sum(_all_but_channels(x)) / max(number, 1)
    spread = (x - _as_channels(mean, x)).square().sum(_all_but_channels(x))
    ours = torch.cat([mean, spread, mean.new_tensor([number])])[None]
    told = team.collect(ours, team.size)  # (ranks, 2 C + 1)
    counts, means, spreads = told[:, -1:], told[:, : len(mean)], told[:, len(mean) : -1]
    count = counts.sum()
    whole = (counts * means).sum(0) / count
    total = (spreads + counts * (means - whole).square()).sum(0)
    return whole, total / count, count


class _Drop:
    """Dropout with the mask of the whole batch, so that the random numbers are one process's."""

    def __init__(self, dropout: _DropoutNd, shared: _SharedPass) -> None:
        self._shared, self._alone = shared, dropout.forward

    def __call__(self, features: Tensor) -> Tensor:
        whole = torch.empty(
            (self._shared.count, *features.shape[1:]),
            dtype=features.dtype,
            device=features.device,
            memory_format=_layout(features),
        ).fill_(1)
        mask = cast(Tensor, self._alone(whole))[self._shared.sent]
        return features * mask


def _layout(features: Tensor) -> torch.memory_format:
    is_last = features.dim() == 5 and features.is_contiguous(memory_format=torch.channels_last_3d)
    return torch.channels_last_3d if is_last else torch.contiguous_format


def _all_but_channels(x: Tensor) -> list[int]:
    return [axis for axis in range(x.dim()) if axis != 1]


def _as_channels(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.dim() - 2))


def _apply(function: type[torch.autograd.Function], tensor: Tensor, shared: _SharedPass) -> Tensor:
    return cast(Tensor, function.apply(tensor, shared))  # type: ignore[no-untyped-call]  # torch has no types here
