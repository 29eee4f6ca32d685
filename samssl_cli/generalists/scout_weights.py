"""The weights of `scout`: those in the package, or others of the same network."""

from collections.abc import Mapping
from pathlib import Path

import torch

from samssl_cli.generalists import SHIPPED
from samssl_cli.generalists.checkpoint_file import WeightsFacts
from samssl_cli.generalists.scout_network import ScoutNetwork
from samssl_cli.generalists.state_dict import check_state_dict, read_state_dict

SHIPPED_WEIGHTS = SHIPPED / "scout.safetensors"
"""In half precision; its model card lies beside it."""

_PUBLISHED = "the weights in the package, or what `samssl pretrain-scout` or `samssl adapt` wrote"


def load_scout(path: Path, *, device: str) -> ScoutNetwork:
    """Load a `scout`, frozen and in evaluation mode, in single precision.

    Raises:
        WeightsError: when the file is missing, damaged, unsafe, not finite, or of another model.
    """
    weights = read_state_dict(path, published=_PUBLISHED)
    network = unfilled_scout(device=device)
    put_weights(network, weights, path)
    return network


def unfilled_scout(*, device: str) -> ScoutNetwork:
    """A `scout` with random weights, frozen and in evaluation mode, to put others into."""
    network = ScoutNetwork().requires_grad_(False).eval()
    return network.to(torch.device(device), memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]  # torch types only 4-D formats


def put_weights(network: ScoutNetwork, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Check weights and put them into a network; `path` says where they are from.

    Raises:
        WeightsError: when they are not finite, or of another model.
    """
    check_state_dict(
        weights, network.state_dict(), path, model="scout", cure=f"expected {_PUBLISHED}"
    )
    network.load_state_dict(weights)


def identify_scout(path: Path) -> WeightsFacts:
    """Load a weights file as `scout` would, and count what is in it.

    Raises:
        WeightsError: as `load_scout` does.
    """
    weights = load_scout(path, device="cpu").state_dict()
    return WeightsFacts(
        model="scout",
        num_tensors=len(weights),
        num_parameters=sum(value.numel() for value in weights.values()),
    )
