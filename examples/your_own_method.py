"""A semi-supervised method of your own: be sure of yourself on unlabeled patches.

    python examples/your_own_method.py                                      # one step, on noise
    python examples/your_own_method.py train-ssl cases.zarr -o mine.zarr --method entropy

With arguments this file is `samssl` with one more method. To keep the method, move the class to
`samssl_cli/methods/entropy.py` and the row to the table in `samssl_cli/methods/__init__.py`.
"""

import sys
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from samssl_cli.cli import app
from samssl_cli.methods import METHODS, MethodEntry
from samssl_cli.methods.method import Batch, Method
from samssl_cli.networks import build_network
from samssl_cli.recipe import Network, NonNegative, Section
from samssl_cli.registry import load


class EntropyMinimisation(Method):
    """Push every unlabeled voxel towards some class.

    total = supervised(student(x_l), y_l) + weight * mean_v(-sum_c p_vc log p_vc)

    Source: Grandvalet & Bengio, Semi-supervised Learning by Entropy Minimization, NeurIPS 2004.
    """

    class Options(Section):
        """`--set train_ssl.method_options.entropy.weight=0.1`."""

        weight: NonNegative = Field(0.01, description="weight of the entropy term")

    learns_from_unlabeled: ClassVar[bool] = True

    def consistency(self, batch: Batch, logits: Tensor, step: int) -> dict[str, Tensor]:
        """Give the entropy of the student's predictions (B_u, classes, I, J, K)."""
        log_probability = logits.log_softmax(dim=1)
        entropy = -(log_probability.exp() * log_probability).sum(dim=1)
        return {"entropy": self.options.weight * entropy.mean()}


METHODS["entropy"] = MethodEntry(
    f"{__name__}:EntropyMinimisation",
    "prefer confident predictions on unlabeled patches",
    "Grandvalet & Bengio, NeurIPS 2004",
    learns_from_unlabeled=True,
)


def one_step() -> dict[str, float]:
    """Compute the losses of one step on noise, and their gradients."""
    torch.manual_seed(0)
    network = build_network(Network(channels=(2, 4)), in_channels=1, num_classes=2)
    method: Method = load(METHODS, "entropy", kind="method")(network, {"weight": 0.1}, steps=10)
    image = torch.randn(1, 1, 8, 8, 8)
    label = torch.randint(0, 2, (1, 8, 8, 8))
    losses = method.forward(Batch(image, label, image + 1, image + 1), step=0)
    torch.stack(list(losses.values())).sum().backward()
    return {name: loss.item() for name, loss in losses.items()}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        app()
    else:
        print(one_step())
