"""A trained checkpoint as a network that is ready to predict."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.networks import build_network
from samssl_cli.training.state import to_tensors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load_specialist(checkpoint: Checkpoint, device: torch.device) -> nn.Module:
    """Build the network of a checkpoint with its weights, on the device, without dropout."""
    network = build_network(
        checkpoint.network,
        in_channels=len(checkpoint.facts.channel_names),
        num_classes=checkpoint.facts.num_classes,
    )
    network.load_state_dict(to_tensors(checkpoint.weights()))
    ready: nn.Module = network.to(device, memory_format=torch.channels_last_3d).eval()  # type: ignore[call-overload]  # torch types only 4-D formats
    return ready


def predict_case(
    network: nn.Module,
    image: "NDArray[np.floating]",
    checkpoint: Checkpoint,
    device: torch.device,
) -> "NDArray[np.float32]":
    """Class probabilities (classes, I, J, K) of a preprocessed image (C, I, J, K)."""
    from samssl_cli.inference.sliding_window import predict_probability

    return predict_probability(
        network,
        image,
        patch_size=checkpoint.patch_size,
        options=checkpoint.inference,
        device=device,
    )
