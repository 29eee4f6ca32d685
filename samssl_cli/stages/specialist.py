"""A trained checkpoint, ready to predict."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.inference.sliding_window import predict_probability
from samssl_cli.networks import build_network
from samssl_cli.recipe import Inference
from samssl_cli.training.state import to_tensors


@dataclass(frozen=True)
class Specialist:
    """A network with its weights, and how whole volumes go through it."""

    network: nn.Module
    patch_size: tuple[int, int, int]
    """The training's: not a choice."""
    options: Inference
    device: torch.device

    def predict(self, image: NDArray[np.floating]) -> NDArray[np.float32]:
        """Class probabilities (classes, I, J, K) of a preprocessed image (C, I, J, K)."""
        return predict_probability(
            self.network,
            image,
            patch_size=self.patch_size,
            options=self.options,
            device=self.device,
        )


def load_specialist(checkpoint: Checkpoint, options: Inference, device: torch.device) -> Specialist:
    """Build the network of a checkpoint with its weights, on the device, without dropout."""
    network = build_network(
        checkpoint.network,
        in_channels=len(checkpoint.facts.channel_names),
        num_classes=checkpoint.facts.num_classes,
    )
    network.load_state_dict(to_tensors(checkpoint.weights()))
    network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch types only 4-D formats
    return Specialist(network.eval(), checkpoint.patch_size, options, device)
