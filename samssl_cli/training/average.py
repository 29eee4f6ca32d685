"""The running mean of the weights that predict in the end, beside any method."""

import copy

import torch
from torch import Tensor, nn

from samssl_cli.methods.method import Batch, Method

_WARM_UP = 100  # steps until the mean forgets slowly


class Averaged:
    """Train with a method as it is, and predict with the running mean of its predictor's weights.

    mean = d * mean + (1 - d) * weights after every step, d = min(decay, (1 + step) / (100 + step))

    What is averaged is the predictor: the student, a teacher, or one of two networks; the branches
    of a student are left behind as ever. Nothing that is trained ever sees the mean.

    The running statistics of batch normalisation are averaged like the weights. They have to
    belong to the weights they are used with: what a layer gives is linear in its weights, so the
    statistics of averaged weights are, to first order, the average of theirs over the same steps.
    The latest, copied, would be those of other weights. Counts of batches are copied.

    Source: Polyak & Juditsky, SIAM J. Control Optim. 30(4), 1992; Tarvainen & Valpola, NeurIPS
    2017, arXiv:1703.01780, for the exponential form.
    """

    def __init__(self, method: Method, *, decay: float) -> None:
        """Begin with a copy of the predictor."""
        assert "average" not in method.modules()
        self._method, self._decay = method, decay
        self._average = copy.deepcopy(method.predictor()).requires_grad_(False)

    def modules(self) -> dict[str, nn.Module]:
        """The method's networks, and the mean of its predictor."""
        return {**self._method.modules(), "average": self._average}

    def trained(self) -> dict[str, nn.Module]:
        """Those that the method trains."""
        return self._method.trained()

    def predictor(self) -> nn.Module:
        """The mean."""
        return self._average

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the method's loss terms."""
        return self._method.forward(batch, step)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Let what follows the student follow it, and then the mean."""
        self._method.after_step(step)
        decay = min(self._decay, (1 + step) / (_WARM_UP + step))
        latest = self._method.predictor().state_dict()
        for name, mean in self._average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(latest[name], 1 - decay)
            else:
                mean.copy_(latest[name])
