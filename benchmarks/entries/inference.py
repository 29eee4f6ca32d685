"""A whole volume predicted by samssl, beside MONAI's sliding window called by hand.

The network is that of recipe `quick`, once with batch and once with instance normalisation, as its
specialist and its student have it. Its weights are random, but its running statistics are those of
noise that went through it, so that folding them away has something to do. The image is noise,
without any air; and once an ellipsoid of noise in zeros, the outline of a brain without its skull.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.allocator import by_default
from benchmarks.suite import Entry, Pair

SHAPE = (120, 96, 48)
PATCH = (64, 64, 32)
"""Of recipe `quick`."""
FIELD = (240, 240, 155)
"""Of BraTS at 1 mm, with the brain in it: a ninth of the windows is air."""
BRAIN = (0.62, 0.76, 0.9)
"""Its diameters, as shares of the field: about those of BraTS."""

Probability = NDArray[np.float32]


def pairs() -> Iterator[Pair]:
    """One for each normalisation, and one with air."""
    noise, brain = (image.astype(np.float16) for image in (_noise(SHAPE), _noise(FIELD) * _brain()))
    for norm, image, title in (
        ("batch", noise, "batch norm"),
        ("instance", noise, "instance norm"),
        ("batch", brain, f"batch norm, a brain in {1 - _brain().mean():.2f} air"),
    ):
        network = trained_looking(norm)
        yield Pair(
            f"unet of quick, {title}, {' x '.join(map(str, image.shape[1:]))} voxels",
            partial(_by_samssl, _as_loaded(network), image),
            partial(_by_hand, network, image),
            largest_difference,
            tolerance=1e-3,
        )


def _noise(shape: tuple[int, int, int]) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(1, *shape))


def _brain() -> NDArray[np.bool_]:
    axes = [np.linspace(-1, 1, side) / share for side, share in zip(FIELD, BRAIN, strict=True)]
    i, j, k = np.meshgrid(*axes, indexing="ij")
    inside: NDArray[np.bool_] = i**2 + j**2 + k**2 < 1
    return inside


def _as_loaded(network: nn.Module) -> nn.Module:
    """The network as samssl has it once it was loaded for predicting."""
    from samssl_cli.inference.folding import fold_for_inference

    folded = copy.deepcopy(network)
    fold_for_inference(folded)
    return folded.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def trained_looking(norm: Literal["batch", "instance"]) -> nn.Module:
    """The network of `quick` for two classes, ready to predict, with statistics that are not 0, 1.

    Biases and the scales of the normalisations are drawn, too: they are 0 and 1 in a new network.
    """
    from samssl_cli.networks import build_network
    from samssl_cli.recipe import read_recipe

    torch.manual_seed(0)
    options = read_recipe("quick").network.model_copy(update={"norm": norm})
    network = build_network(options, in_channels=1, num_classes=2)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d | nn.InstanceNorm3d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
        network.train()
        for _ in range(3):
            network(torch.randn(2, 1, *PATCH))
    network.to(memory_format=torch.channels_last_3d)
    return network.eval()


def largest_difference(ours: Probability, theirs: Probability) -> float:
    """Over all voxels and classes; probabilities of 0-1."""
    return float(np.abs(ours - theirs).max())


def _by_samssl(network: nn.Module, image: NDArray[np.float16]) -> Probability:
    from samssl_cli.inference.sliding_window import predict_probability
    from samssl_cli.recipe import Inference
    from samssl_cli.stages.allocator import keep_freed_memory

    keep_freed_memory()
    return predict_probability(
        network,
        image,
        patch_size=PATCH,
        options=Inference(),
        device=torch.device("cpu"),
    )


def _by_hand(network: Callable[[Tensor], Tensor], image: NDArray[np.float16]) -> Probability:
    """As MONAI's tutorials do it, with the overlap and the blending that samssl has."""
    from monai.inferers.utils import sliding_window_inference

    with torch.no_grad(), by_default():
        found = sliding_window_inference(
            torch.from_numpy(image.astype(np.float32))[None],
            roi_size=PATCH,
            sw_batch_size=2,
            predictor=lambda windows: network(windows).softmax(1),
            overlap=0.5,
            mode="gaussian",
        )
    assert isinstance(found, Tensor)
    return found[0].numpy()


ENTRY = Entry(
    name="inference",
    summary="a whole volume, beside MONAI's sliding_window_inference called by hand",
    pairs=pairs,
    needs={"monai": "monai"},
    repeats=3,
)
