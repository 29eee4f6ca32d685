"""A whole volume predicted by samssl, beside MONAI's sliding window called by hand.

The networks are those of the recipes `quick`, with batch and with instance normalisation, as its
specialist and its student have it, and `la`, the V-Net of the literature. Their weights are random,
but their running statistics are those of noise that went through them, so that folding them away
has something to do. By hand, a network is as it was built, and takes 1 window at a time, MONAI's
default, 4, as its tutorials have it, or 2, which is samssl's default; both always take as many. The
image is noise, without any air; and once an ellipsoid of noise in zeros, the outline of a brain
without its skull.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.allocator import by_default
from benchmarks.suite import Entry, Pair

SHAPE = (120, 96, 48)
"""Twelve windows of recipe `quick`."""
ATRIUM = (112, 112, 104)
"""Two windows of recipe `la`."""
FIELD = (240, 240, 155)
"""Of BraTS at 1 mm, with the brain in it: a ninth of the windows is air."""
BRAIN = (0.62, 0.76, 0.9)
"""Its diameters, as shares of the field: about those of BraTS."""

Probability = NDArray[np.float32]
Sides = tuple[int, int, int]


def pairs() -> Iterator[Pair]:
    """One for each normalisation and number of windows, one with air, and one with the V-Net."""
    noise = _noise(SHAPE).astype(np.float16)
    for norm in ("batch", "instance"):
        network, patch = trained_looking("quick", norm)
        for number in (1, 2, 4):
            yield _pair(f"unet of quick, {norm} norm", network, patch, noise, number)
    network, patch = trained_looking("quick", "batch")
    brain = (_noise(FIELD) * _brain()).astype(np.float16)
    title = f"unet of quick, batch norm, a brain in {1 - _brain().mean():.2f} air"
    yield _pair(title, network, patch, brain, 2)
    network, patch = trained_looking("la", "batch")
    yield _pair("vnet of la", network, patch, _noise(ATRIUM).astype(np.float16), 2)


def _pair(
    title: str, network: nn.Module, patch: Sides, image: NDArray[np.float16], number: int
) -> Pair:
    sides = " x ".join(map(str, image.shape[1:]))
    return Pair(
        f"{title}, {sides} voxels, {number} windows at a time",
        partial(_by_samssl, _as_loaded(network), patch, image, number),
        partial(_by_hand, network, patch, image, number),
        largest_difference,
        tolerance=1e-3,
    )


def _noise(shape: Sides) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(1, *shape))


def _brain() -> NDArray[np.bool_]:
    axes = [np.linspace(-1, 1, side) / share for side, share in zip(FIELD, BRAIN, strict=True)]
    i, j, k = np.meshgrid(*axes, indexing="ij")
    inside: NDArray[np.bool_] = i**2 + j**2 + k**2 < 1
    return inside


def _as_loaded(network: nn.Module) -> nn.Module:
    """The network as samssl has it once it was loaded for predicting."""
    from samssl_cli.networks.folding import fold_for_inference

    folded = copy.deepcopy(network)
    fold_for_inference(folded)
    return folded.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def trained_looking(name: str, norm: str) -> tuple[nn.Module, Sides]:
    """The network of a recipe for two classes, ready to predict, and the size of its patches.

    Its statistics are not 0 and 1; biases and the scales of the normalisations are drawn, too.
    """
    from samssl_cli.networks import build_network
    from samssl_cli.recipe import read_recipe

    torch.manual_seed(0)
    recipe = read_recipe(name)
    options = recipe.network.model_copy(update={"norm": norm, "dropout": 0.0})
    network = build_network(options, in_channels=1, num_classes=2)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d | nn.InstanceNorm3d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
        network.train()
        for _ in range(3):
            network(torch.randn(2, 1, 64, 64, 32))
    return network.eval(), recipe.train_ssl.patch_size


def largest_difference(ours: Probability, theirs: Probability) -> float:
    """Over all voxels and classes; probabilities of 0-1."""
    return float(np.abs(ours - theirs).max())


def _by_samssl(
    network: nn.Module, patch: Sides, image: NDArray[np.float16], number: int
) -> Probability:
    from samssl_cli.inference.sliding_window import predict_probability
    from samssl_cli.recipe import Inference
    from samssl_cli.stages.allocator import keep_freed_memory

    keep_freed_memory()
    return predict_probability(
        network,
        image,
        patch_size=patch,
        options=Inference(window_batch=number),
        device=torch.device("cpu"),
    )


def _by_hand(
    network: Callable[[Tensor], Tensor], patch: Sides, image: NDArray[np.float16], number: int
) -> Probability:
    """As MONAI's tutorials do it, with the overlap and the blending that samssl has."""
    from monai.inferers.utils import sliding_window_inference

    with torch.no_grad(), by_default():
        found = sliding_window_inference(
            torch.from_numpy(image.astype(np.float32))[None],
            roi_size=patch,
            sw_batch_size=number,
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
