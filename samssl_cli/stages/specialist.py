"""A trained checkpoint, ready to predict."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.forms import misunderstood, understanding
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.errors import SamsslError
from samssl_cli.inference.grid import from_grid, to_grid
from samssl_cli.inference.sliding_window import predict_probability
from samssl_cli.networks import build_network
from samssl_cli.networks.folding import fold_for_inference
from samssl_cli.progress import Progress
from samssl_cli.recipe import Inference
from samssl_cli.training.state import to_tensors
from samssl_cli.volumes.blur import blurred
from samssl_cli.volumes.grid import Index


@dataclass(frozen=True)
class Specialist:
    """A network with its weights, and how whole volumes go through it."""

    network: nn.Module
    patch_size: tuple[int, int, int]
    """The training's: not a choice."""
    options: Inference
    device: torch.device

    def predict(
        self, image: NDArray[np.floating], *, shape: Index | None = None
    ) -> NDArray[np.float32]:
        """Class probabilities (classes, I, J, K) of a preprocessed image (C, I, J, K).

        They are computed on a grid of `shape` voxels that covers the same extent, and brought back;
        None is the grid of the image. There they are blurred, if the options say so.
        """
        probability = predict_probability(
            self.network,
            to_grid(image, shape),
            patch_size=self.patch_size,
            options=self.options,
            device=self.device,
        )
        i, j, k = image.shape[1:]
        return blurred(from_grid(probability, (i, j, k)), self.options.blur_sigma_voxels)


def load_specialist(checkpoint: Checkpoint, options: Inference, device: torch.device) -> Specialist:
    """Build the network of a checkpoint with its weights, on the device, without dropout.

    Raises:
        DamagedArtifactError: when the weights are not those of the network that it names.
    """
    weights = to_tensors(checkpoint.weights())
    _check_fits(checkpoint, weights)
    network = _build(checkpoint)
    network.load_state_dict(weights)
    network.eval()
    if device.type == "cpu":
        fold_for_inference(network)
    network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch types only 4-D formats
    return Specialist(network, checkpoint.patch_size, options, device)


def _build(checkpoint: Checkpoint) -> nn.Module:
    network: nn.Module = build_network(
        checkpoint.network,
        in_channels=len(checkpoint.facts.channel_names),
        num_classes=checkpoint.facts.num_classes,
    )
    return network


def _check_fits(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> None:
    """Compare names and shapes before any memory is taken for the network."""
    try:
        with torch.device("meta"):
            expected = _build(checkpoint).state_dict()
    except (RuntimeError, ValueError, TypeError, ArithmeticError, SamsslError) as error:
        raise misunderstood(checkpoint.path, error) from error
    wrong = [
        name
        for name in (*expected, *weights)
        if name not in weights
        or name not in expected
        or (weights[name].shape, weights[name].dtype)
        != (expected[name].shape, expected[name].dtype)
    ]
    if wrong:
        raise misunderstood(
            checkpoint.path, ValueError(f"weights of another network, such as {wrong[0][:80]}")
        )


def note_untrained_flips(checkpoint: Checkpoint, options: Inference, progress: Progress) -> None:
    """Tell a person who averages over mirrored images that the network never saw any.

    Such a network loses by it: 71.2 Dice instead of 77.9 (Left Atrium at half resolution, one
    label, recipe quick, 12 test cases, raw).
    """
    with understanding(checkpoint.path):
        options_then = read_manifest(checkpoint.path).plan["options"]
        learned = {int(axis) for axis in options_then["augmentation"]["flip_axes"]}
    if options.flips and learned != {0, 1, 2}:
        axes = f"axes {sorted(learned)} alone" if learned else "no axes"
        progress.note(
            f"inference.flips: {checkpoint.path} has learned from images mirrored along {axes}: "
            "expect worse predictions; train it with augmentation.flip_axes=[0,1,2], or leave "
            "out the flips"
        )
